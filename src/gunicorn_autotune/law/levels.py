"""What each worker count could do while requests waited: saturated throughput, measured."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from gunicorn_autotune.law.crew import Crew
from gunicorn_autotune.law.spans import back
from gunicorn_autotune.model.history import History, Level, Mark

_REMEMBERED_SECONDS = 60.0
_MOST_LEVELS = 24
_SETTLES_SECONDS = 30.0
_LONGEST_SECONDS = 20.0
_USED_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Throughput:
    """Requests finished in some stretches of saturation."""

    seconds: float
    finished: int
    ready: float
    """Mean count of ready workers."""
    busy_seconds: float | None
    """Of all slots together; None where some stretch has none."""

    @property
    def busy_each(self) -> float | None:
        """Mean busy slots of one worker."""
        worker_seconds = self.ready * self.seconds
        return None if self.busy_seconds is None or worker_seconds <= 0.0 else self.busy_seconds / worker_seconds

    @property
    def per_second(self) -> float:
        """0 when nothing was measured."""
        return self.finished / self.seconds if self.seconds > 0.0 else 0.0


def with_level(history: History, crew: Crew, mark: Mark, service_seconds: float) -> tuple[Level, ...]:
    """The levels with one more interval of pressure.

    A level is measured from when its workers get traffic, for kept-alive connections can hide new workers for a
    minute, and one service time later, when their first requests may have finished.
    """
    levels, last = history.levels, history.marks[-2]
    top = levels[-1] if levels else None
    if top is None or top.ready != crew.ready or top.last.at != last.at:
        same = top is not None and top.ready == crew.ready
        born = top.born_at if top is not None and same else mark.at
        recent = [level for level in levels[-_MOST_LEVELS:] if mark.at - level.last.at < _REMEMBERED_SECONDS]
        return (*recent, Level(crew.ready, born, mark, mark))
    first = top.first
    settling = mark.at - top.born_at < min(service_seconds, _SETTLES_SECONDS)
    if settling or crew.used < _USED_SHARE * crew.ready:
        first = mark
    elif mark.at - first.at > _LONGEST_SECONDS:
        first = max(first, back(history.marks, mark.at - _LONGEST_SECONDS), key=lambda one: one.at)
    return (*levels[:-1], replace(top, first=first, last=mark))


def throughput(levels: Iterable[Level]) -> Throughput:
    """All of them together."""
    seconds, finished, ready_seconds = 0.0, 0, 0.0
    busy_seconds: float | None = 0.0
    for level in levels:
        length = level.last.at - level.first.at
        seconds += length
        finished += max(0, level.last.finished - level.first.finished)
        ready_seconds += level.ready * length
        begun, ended = level.first.busy_seconds, level.last.busy_seconds
        if begun is None or ended is None or busy_seconds is None:
            busy_seconds = None
        else:
            busy_seconds += ended - begun
    return Throughput(seconds, finished, ready_seconds / seconds if seconds > 0.0 else 0.0, busy_seconds)
