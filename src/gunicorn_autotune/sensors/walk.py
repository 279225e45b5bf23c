"""The walk from our own cgroup up to the mount: every ancestor may limit us, and the tightest one does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from gunicorn_autotune.model.readings import UNLIMITED, Limit, Missing, Reading, Unlimited, known
from gunicorn_autotune.sensors.files import Absent, garbage, parse_cpu_list, parse_keyed_count, read_text

N = TypeVar("N", int, float)


@dataclass(frozen=True, slots=True)
class Grant:
    """A limit and what is used of it, both from the same level: siblings under that level share it."""

    limit: Limit[int]
    used: Reading[int]
    file: str = ""
    """Where the limit stands."""

    @property
    def room(self) -> float:
        """What may still be taken; where the use is unknown the limit, which it cannot exceed."""
        if isinstance(self.limit, (Missing, Unlimited)):
            return float("inf")
        return self.limit - known(self.used, 0)


def least_room(grants: Iterable[Grant]) -> Grant | None:
    """The grant with a number for a limit that leaves the least; the first of equal ones, None when there is none.

    Not the smallest limit: a slice of 400 MB with 376 MB in use ends us before our own 300 MB with 43 MB do.
    """
    return min((grant for grant in grants if isinstance(grant.limit, int)), key=lambda grant: grant.room, default=None)


def grants_at(levels: tuple[str, ...], grant_at: Callable[[str], Grant]) -> tuple[Grant, ...]:
    """What each level that has a limit grants, the nearest to us first; none: nothing limits us here.

    Levels that cannot be read count only where no other has a limit: then one Missing is all there is.
    """
    grants = [grant_at(level) for level in levels]
    numbers = tuple(grant for grant in grants if isinstance(grant.limit, int))
    unreadable = next((grant.limit for grant in grants if isinstance(grant.limit, Missing)), None) or gone(levels)
    return numbers if numbers or unreadable is None else (Grant(unreadable, unreadable),)


def gone(levels: tuple[str, ...]) -> Missing | None:
    """A cgroup removed under our feet: without this it would look like one without limits."""
    return None if os.path.isdir(levels[0]) else Missing(f"{levels[0]}: the cgroup is gone")  # noqa: PTH112


def tightest(levels: tuple[str, ...], limit_at: Callable[[str], Limit[N]]) -> tuple[Limit[N], str]:
    """The smallest limit over `levels` and the level that supplied it; on a tie the one nearest to us.

    A level that cannot be read does not hide the others. Without any number: Missing if a level was unreadable
    or our own directory is gone, else Unlimited.
    """
    best: tuple[N, str] | None = None
    unreadable: Missing | None = None
    for level in levels:
        limit = limit_at(level)
        if isinstance(limit, Missing):
            unreadable = unreadable or limit
        elif not isinstance(limit, Unlimited) and (best is None or limit < best[0]):
            best = (limit, level)
    if best is not None:
        return best
    return unreadable or gone(levels) or UNLIMITED, levels[0]


def limit_in(path: str, parse: Callable[[str], Limit[N] | None]) -> Limit[N]:
    """One limit file: no file is no limit (the root has none, nor has a controller that is off), garbage is Missing."""
    text = read_text(path)
    if isinstance(text, Absent):
        return UNLIMITED
    if isinstance(text, Missing):
        return text
    limit = parse(text)
    return garbage(path, text) if limit is None else limit


def sum_over(levels: tuple[str, ...], file: str, key: str) -> Reading[int]:
    """The count `key` of `file` added up over the levels that have it.

    Throttling is booked where the quota is, often at an ancestor of ours (a pod, a slice). A sum never goes down
    when the tightest level changes; one unreadable level makes all of it Missing for the same reason.
    """
    total: int | None = None
    for level in levels:
        text = read_text(f"{level}/{file}")
        if isinstance(text, Missing) and not isinstance(text, Absent):
            return text
        count = None if isinstance(text, Missing) else parse_keyed_count(text, key)
        if count is not None:
            total = count + (total or 0)
    return Missing(f"{levels[0]}/{file}: no count {key!r} up to the mount") if total is None else total


def full_seconds(
    levels: tuple[str, ...], period_seconds: Callable[[str], float | None]
) -> Reading[tuple[float, ...]]:  # fmt: skip
    """Time of the periods that ended throttled, for each level that counts them: nr_throttled x period.

    Not a sum over the levels: a pod and its only container have the same quota, and run out in the same periods.
    """
    found = []
    for level in levels:
        text = read_text(f"{level}/cpu.stat")
        if isinstance(text, Missing) and not isinstance(text, Absent):
            return text
        periods = None if isinstance(text, Missing) else parse_keyed_count(text, "nr_throttled")
        seconds = None if periods is None else period_seconds(level)
        if periods is not None and seconds is not None:
            found.append(periods * seconds)
    return tuple(found) if found else Missing(f"{levels[0]}/cpu.stat: no count 'nr_throttled' up to the mount")


def first_cpu_list(levels: tuple[str, ...], file: str) -> Reading[int]:
    """How many CPUs the nearest level that has `file` allows; already the effective set, so no need to go on."""
    for level in levels:
        text = read_text(f"{level}/{file}")
        if not isinstance(text, Absent):
            cores = text if isinstance(text, Missing) else parse_cpu_list(text)
            return garbage(f"{level}/{file}", str(text)) if cores is None else cores
    return Missing(f"{levels[0]}/{file}: not there up to the mount")


def less(used: Reading[int], reclaimable: Reading[int]) -> Reading[int]:
    """The working set: use minus what the kernel drops without a fight; never below zero (two reads, two instants)."""
    if isinstance(used, Missing):
        return used
    return reclaimable if isinstance(reclaimable, Missing) else max(0, used - reclaimable)
