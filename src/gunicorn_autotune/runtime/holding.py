"""Inside a worker: the connections it holds beside requests that come and go, and its time to leave for their sake."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

# Bound here, before gevent may patch the module.
from threading import get_ident
from typing import Any

from gunicorn_autotune.model.status import Door
from gunicorn_autotune.runtime import compat
from gunicorn_autotune.runtime.doors import Doors
from gunicorn_autotune.scoreboard import board, layout
from gunicorn_autotune.scoreboard.recorder import Recorder

Asgi = Callable[[Any, Any, Any], Awaitable[None]]


def attach(worker: Any, doors: Doors, row: memoryview, kind: str, pen: Recorder) -> None:
    """Have the worker say what it holds. Its requests are recorded already, by `pen`."""
    if kind == compat.SINGLE:
        worker.handle = accepted(worker.handle, doors, row)
        return
    if pen.count_long is not None:
        worker.notify = counted(worker.notify, doors, pen.count_long)
    stretch_grace(worker, doors, row)


def accepted(handle: Callable[..., None], doors: Doors, row: memoryview) -> Callable[..., None]:
    """`handle` of a sync worker, which begins with the accept: no hook is called before the whole head is read.

    The guard is written out: this runs for every request.
    """
    clock, failed = time.monotonic_ns, doors.failed

    def noted(*arguments: Any, **named: Any) -> None:
        try:
            row[layout.ACCEPTED_NS] = clock()
        except Exception:
            failed(Door.HANDLE)
        try:
            handle(*arguments, **named)
        finally:
            try:
                row[layout.ACCEPTED_NS] = 0
            except Exception:
                failed(Door.HANDLE)

    return noted


def reading(worker: Any, doors: Doors, row: memoryview) -> Callable[[], None]:
    """Have a gthread worker count its threads that read a slow head; returns what a thread calls when a request begins.

    Its threads call `handle` with a connection. A dict by thread needs no lock.
    """
    clock, failed, handle, notify = time.monotonic_ns, doors.failed, worker.handle, worker.notify
    since: dict[int, int] = {}
    slow = 0

    def count() -> None:
        nonlocal slow
        before = clock() - layout.READING_NS
        slow = row[layout.READING] = len([start for start in tuple(since.values()) if start <= before])

    def begun() -> None:
        since.pop(get_ident(), None)
        if slow:
            count()

    def noted(*arguments: Any, **named: Any) -> Any:
        since[get_ident()] = clock()
        try:
            return handle(*arguments, **named)
        finally:
            try:
                begun()
            except Exception:
                failed(Door.HANDLE)

    def notify_with_count() -> None:
        doors.through(Door.NOTIFY, count)
        notify()

    worker.handle, worker.notify = noted, notify_with_count
    return begun


def counted(notify: Callable[[], None], doors: Doors, count_long: Callable[[], None]) -> Callable[[], None]:
    """`notify`, which the loop of a worker calls once a second, with the long requests counted."""

    def notify_with_count() -> None:
        doors.through(Door.NOTIFY, count_long)
        notify()

    return notify_with_count


def websocket(app: Asgi, doors: Doors, row: memoryview) -> Asgi:
    """`app` for the scopes of WebSockets: open from the handshake until the app returns. No request, so no load."""
    opened = 0

    def count(step: int) -> None:
        nonlocal opened
        opened = row[layout.WEBSOCKETS] = opened + step

    async def held(scope: Any, receive: Any, send: Any) -> None:
        doors.through(Door.PRE_REQUEST, count, +1)
        try:
            await app(scope, receive, send)
        finally:
            doors.through(Door.POST_REQUEST, count, -1)

    return held


def stretch_grace(worker: Any, doors: Doors, row: memoryview) -> None:
    """Let the arbiter give this worker more than graceful_timeout to leave, by a word in its row.

    Every worker class asks its own copy of the configuration when it leaves. One that has nothing under way leaves as
    it always did: silent clients must not hold it.
    """
    setting = worker.cfg.settings["graceful_timeout"]
    configured = setting.get

    def granted(seconds: Any) -> Any:
        words = row.tolist()
        under_way = words[layout.WEBSOCKETS] or board.activity(words, 0).in_flight
        return max(seconds, words[layout.GRACE_SECONDS]) if under_way else seconds

    def graceful_timeout() -> Any:
        seconds = configured()
        return doors.through(Door.GRACEFUL_TIMEOUT, granted, seconds, otherwise=seconds)

    setting.get = graceful_timeout
