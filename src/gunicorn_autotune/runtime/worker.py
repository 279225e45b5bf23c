"""Inside a worker: attach its row, record its requests, say when it is ready and how it left.

Each function is the body of one Gunicorn hook. None of them may stop a request or a boot: what fails is logged once
and the worker serves on unmeasured.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gunicorn_autotune.model.status import Door
from gunicorn_autotune.runtime import compat, holding, oom_score, queue_watch, user_metrics
from gunicorn_autotune.runtime.doors import Doors
from gunicorn_autotune.runtime.holding import Asgi
from gunicorn_autotune.runtime.state import Autotune, Tracked
from gunicorn_autotune.scoreboard import layout, recorder
from gunicorn_autotune.scoreboard.recorder import Recorder


def after_fork(tune: Autotune, worker: Any) -> None:
    """Drop what only the arbiter needs; a worker must not keep its siblings' files open.

    What must work whatever happens to the rest comes first.
    """
    tracked: Tracked | None = getattr(worker, "autotune", None)
    tune.doors.enter_worker(tracked.row if tracked is not None else None)
    if tracked is not None and tracked.slot is not None:
        user_metrics.enter_slot(tracked.slot)
    if tune.policy.oom_workers_first == "on":
        # Before the app is loaded: a boot is when memory runs out. A host that does not allow it loses nothing.
        with contextlib.suppress(OSError, ValueError):
            oom_score.go_before(oom_score.WORKER_STEP)
    for name, value in tune.after_reload.items():
        # Forked in the middle of a reload in batches, whose settings for the moment are not for a worker's life.
        worker.cfg.set(name, value)
    for sibling in list(tune.tracked.values()):
        if sibling.probe is not None:
            sibling.probe.close()
    if tune.exporter is not None:
        tune.exporter.forget()
    if tune.flight is not None:
        tune.flight.forget()
    tune.commands.forget()
    if tracked is not None and tracked.row is not None:
        # The row has one writer: what the app forks from this worker, and lets go on with its request, has no row.
        os.register_at_fork(after_in_child=tracked.row.release)


def after_init(tune: Autotune, worker: Any) -> None:
    """The app is loaded: record from now on, and tell the arbiter that this worker is ready.

    A worker that cannot be recorded serves all the same, and must not look as if it booted for ever.
    """
    tracked: Tracked | None = getattr(worker, "autotune", None)
    if tracked is None or tracked.row is None:
        return
    try:
        _record(worker, tune.doors, tracked.row)
        _take_over_max_requests(worker, tracked)
        _watch_reloader(worker, tracked)
    finally:
        recorder.mark_ready(tracked.row, time.monotonic_ns())


def _take_over_max_requests(worker: Any, tracked: Tracked) -> None:
    """Ours comes first, and its replacement before it; Gunicorn's own stays as a backstop.

    Drawn, or workers of one age would all leave in one moment, which is just what we are there to prevent.
    """
    if tracked.requests_limit is not None and worker.max_requests == tracked.requests_limit:
        # Another value is one that the user's own hook gave it.
        worker.max_requests = int((2 + tracked.draw) * tracked.requests_limit)


def _watch_reloader(worker: Any, tracked: Tracked) -> None:
    """`reload = True`: what its thread does when it sees changed code looks like a signal from outside afterwards."""
    reloader = getattr(worker, "reloader", None)
    theirs = getattr(reloader, "_callback", None)
    if not callable(theirs):
        return

    def changed(name: str) -> None:
        tracked.source_changed = True
        theirs(name)

    reloader._callback = changed  # type: ignore[union-attr]


def before_exit(worker: Any) -> None:
    """The worker leaves by itself; with which code shows the exception under way."""
    tracked: Tracked | None = getattr(worker, "autotune", None)
    # A process that the app forked from this worker leaves as well, perhaps through here: the row is not its own.
    if tracked is not None and tracked.row is not None and worker.pid == os.getpid():
        leaving = sys.exc_info()[1]
        code = leaving.code if isinstance(leaving, SystemExit) else 1
        code = code if isinstance(code, int) else int(code is not None)
        recorder.mark_exit(tracked.row, code, _left_for(worker, tracked))


def _left_for(worker: Any, tracked: Tracked) -> int:
    """One of layout.LEFT_*, 0 when its loop was not told to end: then the app ended the process."""
    if tracked.source_changed:
        return layout.LEFT_FOR_SOURCE
    if getattr(worker, "nr", 0) >= worker.max_requests:
        return layout.LEFT_FOR_REQUESTS
    return 0 if worker.alive else layout.LEFT_AS_TOLD


def _record(worker: Any, doors: Doors, row: memoryview) -> None:
    """Record this worker's requests, if its class tells them.

    The slot's last worker may have been of another class, before a reload. Where it was of the same, RECORDS must not
    be 0 even for a moment: a scrape would miss the counters of the slot.
    """
    kind, recorded = compat.kind_of(type(worker)), 0
    try:
        if kind != compat.UNKNOWN:
            pen = _attach_pen(worker, doors, row, kind)
            recorded = 1
            holding.attach(worker, doors, row, kind, pen)
    finally:
        row[layout.RECORDS] = recorded


def _attach_pen(worker: Any, doors: Doors, row: memoryview, kind: str) -> Recorder:
    if compat.is_asgi(type(worker)):
        pen, websocket = recorder.overlapping(row), holding.websocket(worker.asgi, doors, row)
        worker.asgi = recorded_asgi(worker.asgi, websocket, doors, pen, queue_watch.asgi(worker, row))
    else:
        pen = _pen(worker, doors, row, kind)
        _chain_request_hooks(worker, doors, pen, queue_watch.wsgi(worker, row))
    return pen


def _pen(worker: Any, doors: Doors, row: memoryview, kind: str) -> Recorder:
    if kind == compat.SINGLE:
        return recorder.single(row)
    return _threaded(worker, doors, row) if kind == compat.THREADED else recorder.overlapping(row)


def _chain_request_hooks(worker: Any, doors: Doors, pen: Recorder, queue: Callable[[Any], None]) -> None:
    """Put the recorder before the user's own request hooks, in this worker's copy of the configuration.

    The guard is written out: these two run for every request, and a call more costs a tenth of the whole.
    """
    settings = worker.cfg.settings
    their_pre, their_post = worker.cfg.pre_request, worker.cfg.post_request
    begin, end, failed = pen.begin, pen.end, doors.failed
    # Gunicorn's default hooks do nothing but a debug line; leaving out an idle call pays for half of the recording.
    quiet = settings["pre_request"].get() is settings["pre_request"].default and not _logs_debug(worker)
    silent = settings["post_request"].get() is settings["post_request"].default

    def pre_request(worker: Any, request: Any) -> None:
        try:
            begin(worker, request)
            queue(request)
        except Exception:
            failed(Door.PRE_REQUEST)
        if not quiet:
            their_pre(worker, request)

    def post_request(worker: Any, request: Any, environ: Any, response: Any) -> None:
        try:
            end(worker, request, environ, response)
        except Exception:
            failed(Door.POST_REQUEST)
        if not silent:
            their_post(worker, request, environ, response)

    worker.cfg.set("pre_request", pre_request)
    worker.cfg.set("post_request", post_request)


def _logs_debug(worker: Any) -> bool:
    error_log = getattr(worker.log, "error_log", None)
    return error_log is None or error_log.isEnabledFor(10)


def _threaded(worker: Any, doors: Doors, row: memoryview) -> Recorder:
    """gthread: requests by thread, threads that read a slow head, and connections that no thread has taken yet."""
    if worker.cfg.threads <= layout.CELL_COUNT:
        pen = recorder.threaded(row)
    else:
        pen = recorder.locked(recorder.overlapping(row))
    begun, began = holding.reading(worker, doors, row), pen.begin

    def begin(worker: Any, request: Any) -> None:
        began(worker, request)
        begun()

    return _with_queue(worker, doors, row, replace(pen, begin=begin))


def _with_queue(worker: Any, doors: Doors, row: memoryview, pen: Recorder) -> Recorder:
    """gthread accepts ahead of its threads: keep the depth of that queue in the row, whenever it may have changed."""
    notify, failed = worker.notify, doors.failed
    waiting = compat.threads_waiting(worker)
    if waiting is None:
        # A pool of the user's own (get_thread_pool) shows no queue: unknown, which is not none.
        row[layout.QUEUED] = layout.NOT_READ
        return pen
    queued = 0

    def notify_with_queue() -> None:
        nonlocal queued
        try:
            queued = row[layout.QUEUED] = waiting()
        except Exception:
            failed(Door.NOTIFY)
        notify()

    def begin(worker: Any, request: Any) -> None:
        # The thread that takes the last queued connection must say so: the loop may sleep for a second.
        nonlocal queued
        pen.begin(worker, request)
        if queued:
            queued = row[layout.QUEUED] = waiting()

    def end(worker: Any, request: Any, environ: Any, response: Any) -> None:
        nonlocal queued
        pen.end(worker, request, environ, response)
        if queued:
            queued = row[layout.QUEUED] = waiting()

    worker.notify = notify_with_queue
    return Recorder(begin, end, pen.count_long)


class _Response:
    """What the recorder wants to know of an answer."""

    status_code: int | None = None


def recorded_asgi(app: Asgi, websocket: Asgi, doors: Doors, pen: Recorder, queue: Callable[[Any], None]) -> Asgi:
    """`app` with its HTTP requests recorded, and `websocket` for its WebSockets.

    Gunicorn's ASGI protocol has the request hooks too, but since 27 a post_request hook makes a kept-alive connection
    wait for background tasks, and without an access log it gives no status.
    """

    def begin(scope: Any) -> None:
        pen.begin(None, scope)
        queue(scope)

    async def recorded(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            return await websocket(scope, receive, send)
        if scope["type"] != "http":
            return await app(scope, receive, send)
        response = _Response()

        async def observed_send(message: Any) -> None:
            if message.get("type") == "http.response.start":
                response.status_code = message.get("status")
            await send(message)

        doors.through(Door.PRE_REQUEST, begin, scope)
        try:
            await app(scope, receive, observed_send)
        finally:
            doors.through(Door.POST_REQUEST, pen.end, None, scope, None, response)
        return None

    return recorded
