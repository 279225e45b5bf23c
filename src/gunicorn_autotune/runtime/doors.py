"""The doors through which Gunicorn calls us, and the one guard that stands in each of them.

Gunicorn calls us in its hooks, in the methods of its arbiter that we extend, and in a worker's loop and requests. What
raises behind a door never gets through it: it is counted by door, logged once for each function, and Gunicorn goes on
as it would without us. Only `Exception` is held: Gunicorn's own HaltServer and SystemExit are not ours to stop.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from gunicorn_autotune.model.status import WORKER_DOORS, Door
from gunicorn_autotune.runtime.log import line
from gunicorn_autotune.scoreboard import layout

T = TypeVar("T")
COUNT_LIMIT = 1 << 62
"""A worker's count stops here: its word of the row has 64 bits, and whatever stands there was perhaps not ours."""


class Doors:
    """One guard for one arbiter and, by inheritance over the fork, for each of its workers."""

    def __init__(self, log: Any, counts: Counter[Door]) -> None:
        self._log = log
        self._counts = counts
        """Of the arbiter; a worker's stand in its row."""
        self._row: memoryview | None = None
        self._told: set[tuple[Door, str]] = set()
        self._heard: set[Door] = set()
        """Doors that failed in a worker, which told it."""
        self._seen: Counter[Door] = Counter()

    def through(self, door: Door, ours: Callable[..., T], *arguments: Any, otherwise: Any = None) -> Any:
        """`ours(*arguments)`, or `otherwise` when it raises."""
        try:
            return ours(*arguments)
        except Exception:
            self.failed(door, getattr(ours, "__qualname__", ""))
            return otherwise

    def failed(self, door: Door, where: str = "") -> None:
        """Count what was just raised, and log it unless this door and function have been logged. Never raises."""
        with contextlib.suppress(Exception):
            self._count(door)
        with contextlib.suppress(Exception):
            if door not in self._heard and (door, where) not in self._told:
                self._told.add((door, where))
                self._log.exception(line("failed (logged once), Gunicorn serves on", door=door.value))

    def enter_worker(self, row: memoryview | None) -> None:
        """After the fork: failures are counted in this worker's row."""
        self._row = row
        self._counts = Counter()

    def hear(self, counts: Sequence[int]) -> None:
        """In the arbiter: what has failed in workers so far, by WORKER_DOORS.

        A worker tells its own failure; those that are forked from now on need not tell it again.
        """
        for door, count in zip(WORKER_DOORS, counts, strict=True):
            if count > self._seen[door]:
                self._seen[door] = count
                self._heard.add(door)

    def forget_told(self) -> None:
        """After a reload: what fails under the new configuration is news."""
        self._told.clear()
        self._heard.clear()

    def _count(self, door: Door) -> None:
        if self._row is None or door not in WORKER_DOORS:
            self._counts[door] += 1
            return
        word = layout.DOOR_ERRORS + WORKER_DOORS.index(door)
        self._row[word] = min(self._row[word] + 1, COUNT_LIMIT)
