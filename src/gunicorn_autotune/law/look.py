"""The first half of a decision: what changed since the last snapshot, and what to remember of it."""

from __future__ import annotations

from dataclasses import replace

from gunicorn_autotune.law.crew import crew_of
from gunicorn_autotune.law.demand import load_of
from gunicorn_autotune.law.pressure import backlog_from, backlog_stands, pressure, queue_p95
from gunicorn_autotune.law.service import learn, least_mean, service_of
from gunicorn_autotune.law.spans import LONGEST_SECONDS, SHORTEST_SECONDS, Span, back, between, mark_of, trimmed
from gunicorn_autotune.law.view import View, view_of
from gunicorn_autotune.model.decisions import Reason
from gunicorn_autotune.model.history import History, Mark
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.snapshot import Snapshot

_RUN_ENDS_SECONDS = 3.0
"""A run of pressure is over after this long without any; pauses in between belong to it."""


def start(snapshot: Snapshot) -> History:
    """A history that begins here: the present count counts as needed, so a restarted controller does not shrink."""
    crew = crew_of(snapshot)
    return History(
        marks=(mark_of(snapshot, crew.waiting, crew.ready),),
        needed=((snapshot.at, snapshot.target),),
        calm_from=snapshot.at,
    )


def look(policy: Policy, history: History, snapshot: Snapshot) -> tuple[View | None, History]:
    """The view of `snapshot`, and the history with it learned; no view where no rate can be told.

    That is the first snapshot, one less than 20 ms after the last, and one after a gap of more than 60 s.
    """
    if not history.marks or not 0.0 <= snapshot.at - history.marks[-1].at <= LONGEST_SECONDS:
        begun = start(snapshot)
        return None, replace(
            begun, learned=history.learned, fresh_bytes=history.fresh_bytes, fresh_rss_bytes=history.fresh_rss_bytes,
            sized=history.sized, oom=history.oom, peaks=history.peaks, grown=history.grown, recycling=history.recycling,
            recycled_at=history.recycled_at, no_recycle_before=history.no_recycle_before,
        )  # fmt: skip
    if snapshot.at - history.marks[-1].at < SHORTEST_SECONDS:
        return None, history
    crew = crew_of(snapshot)
    mark = mark_of(snapshot, crew.waiting, crew.ready)
    last = history.marks[-1]
    newest = between(last, mark)
    service = service_of(history.learned, snapshot.totals, history.least_mean_seconds)
    least = least_mean(history.learned, snapshot.totals, service, history.least_mean_seconds)
    history = replace(history, least_mean_seconds=least)
    p95 = queue_p95(back(history.marks, mark.at - 1.0), mark)
    if newest.busy is None:
        pressed = Reason.BACKLOG if backlog_stands(history, mark) else None
    else:
        pressed = pressure(policy, history, crew, newest, service, p95)
    history = _with_run(history, mark, newest, pressed)
    load = load_of(newest, pressed is not None, history.pressed_from is not None, service)
    mark = replace(mark, load_seconds=last.load_seconds + load * newest.seconds)
    view = view_of(history, snapshot, crew, mark, newest, pressed, service, p95)
    return view, replace(history, marks=(*trimmed(history.marks, mark.at), mark))


def _with_run(history: History, mark: Mark, newest: Span, pressed: Reason | None) -> History:
    """`history` with the run of pressure carried on or ended, and the service time learned in calm."""
    last = history.marks[-1]
    waiting_from = backlog_from(history, mark)
    if pressed is not None:
        onset = history.pressed_from or last
        return replace(history, pressed_from=onset, calm_from=mark.at, backlog_from=waiting_from)
    if mark.at - history.calm_from < _RUN_ENDS_SECONDS:
        return replace(history, backlog_from=waiting_from)
    learned = learn(history.learned, newest, last, mark)
    return replace(history, pressed_from=None, backlog_from=waiting_from, learned=learned)
