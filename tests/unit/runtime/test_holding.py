"""What a worker says of the connections it holds, and how long it may take to leave for them."""

from __future__ import annotations

import asyncio
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from gunicorn_autotune.model.status import Door
from gunicorn_autotune.runtime import actuator, compat, holding
from gunicorn_autotune.runtime.doors import Doors
from gunicorn_autotune.runtime.state import Tracked
from gunicorn_autotune.scoreboard import board, layout, recorder


class Log:
    """Gunicorn's, as far as the guard uses it."""

    def exception(self, _text: str) -> None:
        """Say nothing."""


DOORS = Doors(Log(), Counter())


@pytest.fixture
def row() -> memoryview:
    """The row of a worker."""
    return memoryview(bytearray(layout.WORD_BYTES * layout.ROW_WORDS)).cast("Q")


def a_worker(graceful_timeout: int = 30, **methods: Any) -> Any:
    """With a copy of the configuration of its own, as every worker has one."""
    from gunicorn.config import Config

    cfg = Config()
    cfg.set("graceful_timeout", graceful_timeout)
    return SimpleNamespace(cfg=cfg, notify=lambda: None, **methods)


def test_a_connection_is_seen_from_its_accept_to_its_end(row: memoryview) -> None:
    """Whatever the worker does with it, and with the arguments it was given."""
    seen: list[Any] = []
    handle = holding.accepted(lambda *given: seen.append((given, row[layout.ACCEPTED_NS] > 0)), DOORS, row)
    handle("listener", "client", "addr")

    assert (seen, row[layout.ACCEPTED_NS]) == ([(("listener", "client", "addr"), True)], 0)


def test_a_handler_that_raises_ends_its_connection_too(row: memoryview) -> None:
    """And raises as it always did."""

    def broken() -> None:
        raise OSError("on purpose")

    with pytest.raises(OSError, match="on purpose"):
        holding.accepted(broken, DOORS, row)()
    assert row[layout.ACCEPTED_NS] == 0


def test_a_row_that_cannot_be_written_does_not_keep_a_client_waiting(row: memoryview) -> None:
    """It is handled all the same, and counted by its door."""
    counts: Counter[Door] = Counter()
    handled: list[int] = []
    row.release()
    holding.accepted(handled.append, Doors(Log(), counts), row)(1)

    assert (handled, counts) == ([1], {Door.HANDLE: 2})


def test_open_websockets_are_counted(row: memoryview) -> None:
    """Up with the handshake, down with the end, a failure included."""
    counts = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        counts.append(row[layout.WEBSOCKETS])
        if scope:
            await asyncio.gather(held(None, None, None))
            raise OSError("on purpose")

    held = holding.websocket(app, DOORS, row)
    with pytest.raises(OSError, match="on purpose"):
        asyncio.run(held({"type": "websocket"}, None, None))  # type: ignore[arg-type]

    assert (counts, row[layout.WEBSOCKETS]) == ([1, 2], 0)


@pytest.mark.parametrize(
    ("granted", "socket", "request_runs", "seconds"),
    [
        (600, True, False, 600),
        (600, False, True, 600),
        (600, False, False, 30),
        (0, True, True, 30),
        (9, True, True, 30),
    ],
)
def test_a_worker_with_something_under_way_has_the_time_it_was_given(
    row: memoryview, granted: int, socket: bool, request_runs: bool, seconds: int
) -> None:
    """Never less than Gunicorn's; and a worker that holds nothing leaves as always."""
    worker, pen = a_worker(), recorder.overlapping(row)
    holding.attach(worker, DOORS, row, compat.OVERLAPPING, pen)
    row[layout.GRACE_SECONDS], row[layout.WEBSOCKETS] = granted, int(socket)
    if request_runs:
        pen.begin(None, object())

    assert worker.cfg.graceful_timeout == seconds


def test_a_row_that_cannot_be_read_leaves_graceful_timeout(row: memoryview) -> None:
    """Gunicorn's own value, and one failure counted."""
    worker, counts = a_worker(), Counter[Door]()
    holding.stretch_grace(worker, Doors(Log(), counts), row)
    row.release()

    assert (worker.cfg.graceful_timeout, counts) == (30, {Door.GRACEFUL_TIMEOUT: 1})


def test_a_sync_worker_keeps_graceful_timeout(row: memoryview) -> None:
    """It leaves when its one request is over, however long."""
    worker = a_worker(handle=lambda: None)
    holding.attach(worker, DOORS, row, compat.SINGLE, recorder.single(row))
    row[layout.GRACE_SECONDS], row[layout.CELLS] = 600, 1

    assert worker.cfg.graceful_timeout == 30


def test_a_heartbeat_counts_the_long_requests(row: memoryview) -> None:
    """And beats."""
    beats: list[int] = []
    worker = a_worker()
    worker.notify = lambda: beats.append(1)
    clock = [1]
    pen = recorder.overlapping(row, lambda: clock[0])
    holding.attach(worker, DOORS, row, compat.OVERLAPPING, pen)
    pen.begin(None, object())
    clock[0] += layout.LONG_NS
    worker.notify()

    assert (row[layout.LONG_REQUESTS], beats) == (1, [1])


def test_a_thread_that_reads_for_a_second_is_counted_until_its_request_begins(
    row: memoryview, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in the first second; and no more once the request has begun, or the connection is over."""
    now, seen = [10**12], []
    monkeypatch.setattr(holding.time, "monotonic_ns", lambda: now[0])

    def handle(conn: str) -> str:
        for later_ns in (0, layout.READING_NS - 1, 1):
            now[0] += later_ns
            worker.notify()
            seen.append(row[layout.READING])
        if conn == "answered":
            begun()
            seen.append(row[layout.READING])
        return conn

    worker = a_worker(handle=handle)
    begun = holding.reading(worker, DOORS, row)
    answers = [worker.handle("answered"), worker.handle("ended")]

    assert (seen, row[layout.READING]) == ([0, 0, 1, 0, 0, 0, 1], 0)
    assert answers == ["answered", "ended"]


def test_a_slow_head_makes_a_worker_busy_but_holds_no_drain(row: memoryview) -> None:
    """Who reads one leaves after the idle, and as soon as plain Gunicorn lets it."""
    row[layout.READING] = 2
    tracked = Tracked(None, 1, 0, row, spawned_at=0.0)
    words = row.tolist()

    assert (2, 0) == (actuator.running(tracked), actuator.under_way(tracked))
    assert 2 == board.silent(words, board.activity(words, 1), 1)
