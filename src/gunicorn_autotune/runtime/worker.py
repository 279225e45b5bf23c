"""Inside a worker: attach its row, record its requests, say when it is ready and how it left.

Each function is the body of one Gunicorn hook. None of them may stop a request or a boot: what fails is logged once
and the worker serves on unmeasured.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from gunicorn_autotune.runtime import compat, queue_watch, user_metrics
from gunicorn_autotune.runtime.state import Autotune, Tracked
from gunicorn_autotune.scoreboard import layout, recorder
from gunicorn_autotune.scoreboard.recorder import Recorder


def after_fork(tune: Autotune, worker: Any) -> None:
    """Drop what only the arbiter needs; a worker must not keep its siblings' files open."""
    for tracked in list(tune.tracked.values()):
        if tracked.probe is not None:
            tracked.probe.close()
    if tune.exporter is not None:
        tune.exporter.forget()
    if tune.flight is not None:
        tune.flight.forget()
    tune.commands.forget()
    os.close(tune.board.fd)
    tracked = worker.autotune
    for name, value in tune.after_reload.items():
        # Forked in the middle of a reload in batches, whose settings for the moment are not for a worker's life.
        worker.cfg.set(name, value)
    if tracked.slot is not None:
        user_metrics.enter_slot(tracked.slot)


def after_init(worker: Any) -> None:
    """The app is loaded: record from now on, and tell the arbiter that this worker is ready."""
    tracked: Tracked = worker.autotune
    if tracked.row is None:
        return
    if tracked.requests_limit is not None:
        # Ours comes first, and its replacement before it. Should we not get to it, Gunicorn's own still comes. Drawn,
        # or workers of one age would all leave in one moment, which is just what we are there to prevent.
        worker.max_requests = int((2 + tracked.draw) * tracked.requests_limit)
    kind = compat.kind_of(type(worker))
    if kind != compat.UNKNOWN:
        _record(worker, tracked.row, kind)
        tracked.row[layout.RECORDS] = 1
    recorder.mark_ready(tracked.row, time.monotonic_ns())


def before_exit(worker: Any) -> None:
    """The worker leaves by itself; with which code shows the exception under way."""
    tracked: Tracked = worker.autotune
    if tracked.row is not None:
        leaving = sys.exc_info()[1]
        code = leaving.code if isinstance(leaving, SystemExit) else 1
        recorder.mark_exit(tracked.row, code if isinstance(code, int) else int(code is not None))


def _record(worker: Any, row: memoryview, kind: str) -> None:
    if compat.is_asgi(type(worker)):
        worker.asgi = recorded_asgi(worker.asgi, recorder.overlapping(row), queue_watch.asgi(worker, row))
        return
    if kind == compat.SINGLE:
        pen = recorder.single(row)
    elif kind == compat.THREADED:
        pen = _threaded(worker, row)
    else:
        pen = recorder.overlapping(row)
    _chain_request_hooks(worker, pen, queue_watch.wsgi(worker, row))


def _chain_request_hooks(worker: Any, pen: Recorder, queue: Callable[[Any], None]) -> None:
    """Put the recorder before the user's own request hooks, in this worker's copy of the configuration."""
    settings = worker.cfg.settings
    their_pre, their_post = worker.cfg.pre_request, worker.cfg.post_request
    begin, end = pen.begin, pen.end
    # Gunicorn's default hooks do nothing but a debug line; leaving out an idle call pays for half of the recording.
    quiet = settings["pre_request"].get() is settings["pre_request"].default and not _logs_debug(worker)
    silent = settings["post_request"].get() is settings["post_request"].default

    def pre_request(worker: Any, request: Any) -> None:
        try:
            begin(worker, request)
            queue(request)
        except Exception:
            _log_fault_once(worker)
        if not quiet:
            their_pre(worker, request)

    def post_request(worker: Any, request: Any, environ: Any, response: Any) -> None:
        end(worker, request, environ, response)
        if not silent:
            their_post(worker, request, environ, response)

    worker.cfg.set("pre_request", pre_request)
    worker.cfg.set("post_request", end if silent else post_request)


def _log_fault_once(worker: Any) -> None:
    if not getattr(worker, "autotune_faulted", False):
        worker.autotune_faulted = True
        worker.log.exception("autotune: could not record a request (logged once), serving goes on")


def _logs_debug(worker: Any) -> bool:
    error_log = getattr(worker.log, "error_log", None)
    return error_log is None or error_log.isEnabledFor(10)


def _threaded(worker: Any, row: memoryview) -> Recorder:
    """gthread accepts ahead of its threads: keep the depth of that queue in the row, whenever it may have changed."""
    if worker.cfg.threads <= layout.CELL_COUNT:
        pen = recorder.threaded(row)
    else:
        pen = recorder.locked(recorder.overlapping(row))
    notify = worker.notify
    queued = 0

    def notify_with_queue() -> None:
        nonlocal queued
        queued = row[layout.QUEUED] = compat.threads_waiting(worker)
        notify()

    def begin(worker: Any, request: Any) -> None:
        # The thread that takes the last queued connection must say so: the loop may sleep for a second.
        nonlocal queued
        pen.begin(worker, request)
        if queued:
            queued = row[layout.QUEUED] = compat.threads_waiting(worker)

    def end(worker: Any, request: Any, environ: Any, response: Any) -> None:
        nonlocal queued
        pen.end(worker, request, environ, response)
        if queued:
            queued = row[layout.QUEUED] = compat.threads_waiting(worker)

    worker.notify = notify_with_queue
    return Recorder(begin, end)


class _Response:
    """What the recorder wants to know of an answer."""

    status_code: int | None = None


def recorded_asgi(
    app: Callable[..., Awaitable[None]], pen: Recorder, queue: Callable[[Any], None]
) -> Callable[..., Awaitable[None]]:
    """`app` with its HTTP requests recorded.

    Gunicorn's ASGI protocol has the request hooks too, but since 27 a post_request hook makes a kept-alive connection
    wait for background tasks, and without an access log it gives no status.
    """

    async def recorded(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return await app(scope, receive, send)
        response = _Response()

        async def observed_send(message: Any) -> None:
            if message["type"] == "http.response.start":
                response.status_code = message["status"]
            await send(message)

        pen.begin(None, scope)
        try:
            queue(scope)
            await app(scope, receive, observed_send)
        finally:
            pen.end(None, scope, None, response)
        return None

    return recorded
