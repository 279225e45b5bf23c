"""Inside a worker: whose requests are recorded, whose hooks are called, and what it notes when it leaves."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config
from tests.unit.runtime.arbiters import Log

from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.status import Door
from gunicorn_autotune.runtime import compat, worker
from gunicorn_autotune.runtime.doors import Doors
from gunicorn_autotune.runtime.state import Tracked
from gunicorn_autotune.scoreboard import layout
from gunicorn_autotune.scoreboard.recorder import Recorder

KEEPS_ITS_SCORE = Policy(oom_workers_first="off")
"""What the test calls runs in the test's own process."""
REQUEST = SimpleNamespace(method="GET", path="/", headers=[], peer_addr=("127.0.0.1", 1))


def a_worker(row: Any = None, **fields: Any) -> Any:
    """One that has been forked, as far as these functions look."""
    there: dict[str, Any] = {"cfg": Config(), "log": Log(), "pid": os.getpid(), "alive": True, "max_requests": 1000}
    there["autotune"] = Tracked(None, 1, 0, row, spawned_at=0.0)
    return SimpleNamespace(**there | fields)


@pytest.mark.parametrize(
    ("limit", "drawn", "now", "then"),
    [(1000, 0.0, 1000, 2000), (1000, 0.5, 1000, 2500), (1000, 0.5, 777, 777), (None, 0.5, 1000, 1000)],
    ids=["twice", "drawn", "the user's own", "not ours"],
)
def test_gunicorns_own_max_requests_stays_as_a_backstop(limit, drawn, now, then):
    """Two to three times ours, drawn, so that workers of one age do not leave together."""
    one = a_worker(max_requests=now)
    one.autotune.requests_limit, one.autotune.draw = limit, drawn
    worker._take_over_max_requests(one, one.autotune)

    assert then == one.max_requests


def left(raised: BaseException | None, one: Any) -> int:
    """The word it wrote when it left under this exception."""
    try:
        if raised is not None:
            raise raised
        worker.before_exit(one)
    except BaseException:
        worker.before_exit(one)
    return int(one.autotune.row[layout.EXIT])


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (SystemExit(0), 0),
        (SystemExit(3), 3),
        (SystemExit(None), 0),
        (SystemExit("said on stderr"), 1),
        (RuntimeError("a bug"), 1),
        (KeyboardInterrupt(), 1),
    ],
)
def test_a_worker_notes_the_exit_code_it_leaves_with(raised, code, row):
    """As Python gives it: a text is 1, nothing is 0."""
    assert code + 1 == left(raised, a_worker(row)) & layout.EXIT_CODE


@pytest.mark.parametrize(
    ("fields", "changed", "note"),
    [
        ({}, False, 0),
        ({"alive": False}, False, layout.LEFT_AS_TOLD),
        ({"nr": 999, "alive": False}, False, layout.LEFT_AS_TOLD),
        ({"nr": 1000, "alive": False}, False, layout.LEFT_FOR_REQUESTS),
        ({"nr": 1000, "alive": False}, True, layout.LEFT_FOR_SOURCE),
    ],
)
def test_a_worker_notes_why_it_leaves(fields, changed, note, row):
    """Its code changed, it had its requests, it was told to; else the app ended the process."""
    one = a_worker(row, **fields)
    one.autotune.source_changed = changed

    assert note == left(SystemExit(0), one) >> layout.EXIT_NOTE_SHIFT


@pytest.mark.parametrize("fields", [{"pid": -1}, {"autotune": None}])
def test_a_process_that_is_not_the_worker_notes_nothing(fields, row):
    """A child that the app forked leaves through the same hook."""
    worker.before_exit(a_worker(row, **fields))

    assert 0 == row[layout.EXIT]


def test_what_the_reloader_saw_is_known_afterwards():
    """And Gunicorn's own callback is called."""
    seen: list[str] = []
    one = a_worker(reloader=SimpleNamespace(_callback=seen.append))
    worker._watch_reloader(one, one.autotune)
    one.reloader._callback("app.py")

    assert (["app.py"], True) == (seen, one.autotune.source_changed)


@pytest.mark.parametrize("fields", [{}, {"reloader": None}, {"reloader": object()}])
def test_without_a_reloader_nothing_is_watched(fields):
    """`reload = False`, or a Gunicorn that names it otherwise."""
    one = a_worker(**fields)
    worker._watch_reloader(one, one.autotune)

    assert one.autotune.source_changed is False


def chained(theirs: bool, level: int, broken: bool = False) -> tuple[list[str], Any]:
    """Calls of one request, in order, and the guard; `theirs` is whether the user has request hooks."""
    calls: list[str] = []
    log = Log()
    log.error_log = logging.Logger("gunicorn.error", level)  # type: ignore[attr-defined]
    one, doors = a_worker(log=log), Doors(log, counts := Counter())
    if theirs:
        one.cfg.set("pre_request", lambda worker, request: calls.append("their pre"))
        one.cfg.set("post_request", lambda worker, request, environ, response: calls.append("their post"))
    else:
        for name in ("pre_request", "post_request"):
            default = one.cfg.settings[name].default
            one.cfg.settings[name].value = default
    one.log.debug = lambda *_: calls.append("debug")

    def note(text: str) -> Any:
        return lambda *_: calls.append(text) or (1 / 0 if broken else None)

    worker._chain_request_hooks(one, doors, Recorder(note("begin"), note("end")), note("queue"))
    one.cfg.pre_request(one, REQUEST)
    one.cfg.post_request(one, REQUEST, {}, None)
    return calls, counts


def test_the_users_request_hooks_are_called_after_the_recorder():
    """Both of them, with their arguments."""
    calls, counts = chained(True, logging.INFO)

    assert (["begin", "queue", "their pre", "end", "their post"], {}) == (calls, dict(counts))


def test_a_recorder_that_fails_keeps_no_hook_of_the_users_back():
    """Counted at its doors."""
    calls, counts = chained(True, logging.INFO, broken=True)

    assert (["begin", "their pre", "end", "their post"], {Door.PRE_REQUEST: 1, Door.POST_REQUEST: 1}) == (
        calls, dict(counts),
    )  # fmt: skip


@pytest.mark.parametrize(("level", "lines"), [(logging.INFO, 0), (logging.DEBUG, 1)])
def test_gunicorns_own_debug_line_of_a_request_is_written_where_it_is_read(level, lines):
    """Its default hook does nothing else: below that level the call is saved."""
    assert lines == chained(False, level)[0].count("debug")


def test_a_log_class_of_the_users_own_gets_every_line():
    """Its level cannot be told."""
    assert worker._logs_debug(a_worker()) is True


class Pen:
    """Notes what is recorded."""

    count_long = None

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def begin(self, _worker: Any, scope: Any) -> None:
        """A request begins."""
        self.seen.append("begin")

    def end(self, _worker: Any, scope: Any, _environ: Any, response: Any) -> None:
        """It has ended with this status."""
        self.seen.append(response.status_code)


def asgi(scope_type: str, *, fails: bool = False) -> tuple[list[Any], list[str]]:
    """What was recorded of one call, and what reached the server or the app."""
    pen, sent = Pen(), []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body", "status": 500})
        if fails:
            raise RuntimeError("in the app")

    async def websocket(scope: Any, receive: Any, send: Any) -> None:
        sent.append("websocket")

    async def send(message: Any) -> None:
        sent.append(message["type"])

    doors = Doors(Log(), Counter())
    recorded = worker.recorded_asgi(app, websocket, doors, pen, lambda scope: pen.seen.append("queue"))  # type: ignore[arg-type]
    try:
        asyncio.run(recorded({"type": scope_type}, None, send))
    except RuntimeError:
        sent.append("raised")
    return pen.seen, sent


BODY = ["http.response.start", "http.response.body"]


@pytest.mark.parametrize(
    ("scope", "fails", "seen", "sent"),
    [
        ("http", False, ["begin", "queue", 204], BODY),
        ("http", True, ["begin", "queue", 204], [*BODY, "raised"]),
        ("lifespan", False, [], BODY),
        ("websocket", False, [], ["websocket"]),
    ],
)
def test_an_asgi_request_is_recorded_with_the_status_it_began_to_answer_with(scope, fails, seen, sent):
    """Whatever comes of it; a lifespan and a WebSocket are no requests."""
    assert (seen, sent) == asgi(scope, fails=fails)


def test_a_worker_class_that_reports_nothing_is_marked_so(row):
    """The slot's last worker may have been of another class."""
    row[layout.RECORDS] = 1
    worker._record(a_worker(row), Doors(Log(), Counter()), row)

    assert 0 == row[layout.RECORDS]


@pytest.mark.parametrize("fault", ["_record", "_watch_reloader"])
def test_a_worker_that_cannot_be_recorded_is_ready_all_the_same(row, monkeypatch, fault):
    """Else it would look as if it booted for ever; the fault itself goes to the guard."""
    monkeypatch.setattr(worker, fault, lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        worker.after_init(SimpleNamespace(doors=None), a_worker(row))  # type: ignore[arg-type]

    assert row[layout.READY_NS] > 0


def test_a_worker_without_a_row_is_left_alone():
    """The board was full."""
    one = a_worker(None, max_requests=sys.maxsize)
    worker.after_init(SimpleNamespace(doors=None), one)  # type: ignore[arg-type]

    assert sys.maxsize == one.max_requests


def test_a_fresh_worker_drops_what_only_the_arbiter_needs(row):
    """Its siblings' process files, the exporter's, the record's and the command socket's; its settings are its own."""
    dropped: list[str] = []

    def part(name: str) -> Any:
        return SimpleNamespace(forget=lambda: dropped.append(name), close=lambda: dropped.append(name))

    sibling, one = Tracked(None, 2, 1, None, spawned_at=0.0, probe=part("probe")), a_worker(None)
    one.autotune.slot = None
    there = {1: one.autotune, 2: sibling}
    tune: Any = SimpleNamespace(
        doors=Doors(Log(), Counter()), after_reload={"graceful_timeout": 77}, tracked=there, policy=KEEPS_ITS_SCORE,
        exporter=part("exporter"), flight=part("flight"), commands=part("commands"),
    )  # fmt: skip
    worker.after_fork(tune, one)

    assert (["commands", "exporter", "flight", "probe"], 77) == (sorted(dropped), one.cfg.graceful_timeout)


def test_a_fresh_worker_of_a_bare_server_has_nothing_to_drop():
    """No exporter, no record, and the worker before it has no process files yet."""
    one = a_worker(None)
    one.autotune.slot = None
    tune: Any = SimpleNamespace(
        doors=Doors(Log(), Counter()), after_reload={}, tracked={1: one.autotune}, exporter=None, flight=None,
        commands=SimpleNamespace(forget=lambda: None), policy=KEEPS_ITS_SCORE,
    )  # fmt: skip
    worker.after_fork(tune, one)

    assert one.cfg.graceful_timeout == 30


@pytest.mark.parametrize(("module", "asgi"), [("gunicorn.workers.gasgi", True), ("gunicorn.workers.sync", False)])
def test_an_asgi_worker_is_known_by_the_class_it_comes_from(module, asgi):
    """Also one that the user derived from it."""
    base = type("Base", (), {"__module__": module})

    assert asgi is compat.is_asgi(type("Derived", (base,), {}))


def test_an_old_gunicorns_wake_up_calls_are_all_taken_from_its_pipe():
    """Each signal writes one byte; what stays would wake the next sleep at once."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.write(writing, b"...")
    compat.short_sleep(SimpleNamespace(PIPE=(reading, writing)), 10.0)
    with pytest.raises(BlockingIOError):
        os.read(reading, 1)
    compat.short_sleep(SimpleNamespace(PIPE=(reading, writing)), 0.0)
    os.close(reading)
    os.close(writing)
