"""A record cut into windows of 10 s, each with its means; everything `plan` says of the load comes from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gunicorn_autotune.law.cores import cores_of, used_up
from gunicorn_autotune.law.crew import crew_of
from gunicorn_autotune.law.spans import LONGEST_SECONDS, Span, between, mark_of
from gunicorn_autotune.model.flight import Tick
from gunicorn_autotune.model.history import Mark
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.snapshot import Snapshot

WINDOW_SECONDS = 10.0
_FULL_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Window:
    """About 10 s."""

    span: Span
    last: Snapshot
    full: bool
    """At least 90 % of the slots were taken."""
    cores_full: bool


@dataclass(slots=True)
class _Open:
    """The window being filled."""

    first: Mark
    slots: int

    def close(self, policy: Policy, snapshot: Snapshot, mark: Mark) -> Window:
        """The window up to `snapshot`."""
        span, cores = between(self.first, mark), cores_of(policy, snapshot.host)
        return Window(
            span=span,
            last=snapshot,
            full=span.busy is not None and 0 < _FULL_SHARE * self.slots <= span.busy,
            cores_full=used_up(cores, span),
        )


def windows_of(policy: Policy, ticks: Sequence[Tick]) -> list[Window]:
    """In order; a gap of more than a minute (a stop, a suspended host) belongs to none."""
    found: list[Window] = []
    window: _Open | None = None
    before: tuple[Snapshot, Mark] | None = None
    for tick in ticks:
        crew = crew_of(tick.snapshot)
        mark = mark_of(tick.snapshot, crew.waiting, crew.ready)
        if window is None or before is None or mark.at - before[1].at > LONGEST_SECONDS:
            found += _rest(policy, window, before, found)
            window = _Open(mark, crew.slots)
        elif mark.at - window.first.at >= WINDOW_SECONDS:
            found.append(window.close(policy, tick.snapshot, mark))
            window = _Open(mark, crew.slots)
        window.slots = max(window.slots, crew.slots)
        before = (tick.snapshot, mark)
    return found + _rest(policy, window, before, found)


def _rest(
    policy: Policy, window: _Open | None, before: tuple[Snapshot, Mark] | None, found: list[Window]
) -> list[Window]:
    """What was begun and not filled: half a window or more, or anything where there is no other."""
    if window is None or before is None:
        return []
    seconds = before[1].at - window.first.at
    if seconds <= 0.0 or (found and seconds < WINDOW_SECONDS / 2):
        return []
    return [window.close(policy, *before)]


def mean(windows: Sequence[Window], value: Sequence[float]) -> float:
    """Of one figure for each window, weighted by their seconds."""
    return sum(one.span.seconds * figure for one, figure in zip(windows, value, strict=True)) / seconds_of(windows)


def share(windows: Sequence[Window], flags: Sequence[bool]) -> float:
    """Of time, in the windows whose flag is up."""
    return mean(windows, [float(flag) for flag in flags])


def seconds_of(windows: Sequence[Window]) -> float:
    """In all windows."""
    return sum(one.span.seconds for one in windows)


def p95(values: Sequence[float]) -> float:
    """The value that 95 % do not exceed: with fewer than 20, the largest."""
    return sorted(values)[max(0, math.ceil(0.95 * len(values)) - 1)]


def requests_in(windows: Sequence[Window]) -> float:
    """That the windows stand for."""
    return sum([completions(window.span) for window in windows], 0.0)


def completions(span: Span) -> float:
    """Requests a span stands for: one that began or ended outside of it counts half."""
    return (span.started + span.finished) / 2.0
