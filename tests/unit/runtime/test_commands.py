"""Commands carried out: who may, what is marked, what is refused and how it is logged."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.status import Identity, Mode, Tally
from gunicorn_autotune.runtime import command_socket, commands
from gunicorn_autotune.runtime.command_socket import CommandSocket, Datagram
from gunicorn_autotune.runtime.state import Tracked

UID = os.geteuid()


class Log:
    """Keeps lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, text: str) -> None:
        """One line."""
        self.lines.append(text)

    warning = exception = info


@pytest.fixture
def server() -> Any:
    """Three workers in slots 0 to 2, the last one leaving."""
    workers = {100 + slot: SimpleNamespace(age=slot) for slot in range(3)}
    return SimpleNamespace(WORKERS=workers, LISTENERS=["http://127.0.0.1:8000", "unix:/run/x.sock"], log=Log())


@pytest.fixture
def tune(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """As much of our state as commands use."""
    tracked = {
        worker.age: Tracked(worker, worker.age, worker.age, None, spawned_at=0.0, draining=worker.age == 2)
        for worker in server.WORKERS.values()
    }
    path = str(tmp_path_factory.mktemp("s") / "c")
    one = SimpleNamespace(
        tracked=tracked, mode=Mode.ACTIVE, frozen=None, held_until=None, tally=Tally(), faults_logged=set(),
        policy=Policy(command_socket=path), commands=CommandSocket(), identity=Identity("1", "1", "3", "sync", 1, 1.0),
    )  # fmt: skip
    yield one
    one.commands.close()


def ask(server: Any, tune: Any, asked: object, uid: int | None = UID) -> dict[str, Any]:
    """The reply to one datagram."""
    data = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
    return commands.reply_to(server, tune, Datagram(data, None, uid, 4711))


def marked(tune: Any) -> list[int]:
    """Slots whose workers were asked for."""
    return [tracked.slot for tracked in tune.tracked.values() if tracked.asked]


def test_a_recycle_marks_the_workers_and_says_which(server: Any, tune: Any) -> None:
    """The law does the rest; the log names who asked."""
    reply = ask(server, tune, {"command": "recycle", "slots": [1]})

    assert {"ok": True, "slots": [1], "pids": [101], "mode": "active"} == reply
    assert [1] == marked(tune)
    assert [f"autotune: recycle asked slots=1 uid={UID} pid=4711"] == server.log.lines


def test_all_leaves_out_who_leaves_already(server: Any, tune: Any) -> None:
    """A draining worker is being replaced as it is."""
    reply = ask(server, tune, {"command": "recycle", "slots": "all"})

    assert ([0, 1], [0, 1]) == (reply["slots"], marked(tune))


def test_one_wrong_slot_marks_none(server: Any, tune: Any) -> None:
    """All or nothing, so that the same command can be given again, corrected."""
    reply = ask(server, tune, {"command": "recycle", "slots": [0, 2]})

    assert (reply, marked(tune)) == (
        {"ok": False, "error": "slot 2: holds no worker; slots in use are 0, 1"},
        [],
    )


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.FALLBACK])
def test_a_server_that_changes_nothing_refuses(mode: Mode, server: Any, tune: Any) -> None:
    """And says why."""
    tune.mode = mode
    reply = ask(server, tune, {"command": "recycle", "slots": "all"})

    assert (False, True, []) == (reply["ok"], f"mode is {mode.value}" in reply["error"], marked(tune))


def test_a_paused_server_takes_it_and_says_paused(server: Any, tune: Any) -> None:
    """It is carried out when the operator's hold is over."""
    tune.held_until = 1.0

    assert "paused" == ask(server, tune, {"command": "recycle", "slots": [0]})["mode"]


@pytest.mark.skipif(command_socket.SO_PASSCRED is None, reason="only Linux tells who sent a datagram")
@pytest.mark.parametrize(("uid", "admitted"), [(0, True), (UID, True), (UID + 4711, False), (None, False)])
def test_only_root_and_the_servers_user_are_obeyed(uid: int | None, admitted: bool, server: Any, tune: Any) -> None:
    """Even if somebody opened the mode of the file."""
    assert admitted is ask(server, tune, {"command": "ping"}, uid)["ok"]


@pytest.mark.skipif(command_socket.SO_PASSCRED is None, reason="only Linux tells who sent a datagram")
def test_the_first_refusal_of_each_sender_and_the_first_garbage_are_logged(server: Any, tune: Any) -> None:
    """Garbage of another sender is no news."""
    for asked, uid in ((b"{", UID), (b"[", 0), ({"command": "ping"}, 4711), ({"command": "ping"}, 4712), (b"{", UID)):
        ask(server, tune, asked, uid)

    assert ([UID, 4711, 4712], 5) == (
        [int(text.partition(" uid=")[2].split()[0]) for text in server.log.lines if "logged once" in text],
        tune.tally.commands_refused,
    )


def test_a_flood_of_garbage_is_counted_and_logged_once(server: Any, tune: Any) -> None:
    """One line, with nothing of the garbage that a terminal would obey."""
    replies = [ask(server, tune, b'{"command": "\\u001b[31m\\nautotune: resize"}') for _ in range(1000)]
    (logged,) = server.log.lines

    assert ({False}, 1000) == ({reply["ok"] for reply in replies}, tune.tally.commands_refused)
    assert (True, True) == (logged.isprintable(), logged.startswith("autotune: command refused (logged once) error="))


def test_a_tick_answers_what_waits_and_publishes_the_path(server: Any, tune: Any) -> None:
    """The whole way: a client's datagram in, one back, the path in the status document."""
    commands.tend(server, tune, 0.0)
    path = tune.policy.command_socket
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.bind("")
        client.connect(path)
        client.settimeout(5)
        client.send(b'{"command": "ping"}')
        commands.tend(server, tune, 0.0)
        reply = json.loads(client.recv(1000))

    about = {"name": "", "bind": ["127.0.0.1:8000", "unix:/run/x.sock"], "metrics": "", "workers": 3}
    assert {"ok": True, "pid": os.getpid(), "mode": "active"} | about == reply
    assert path == tune.identity.command_socket


def test_a_stop_takes_the_path_back(server: Any, tune: Any) -> None:
    """File and status document."""
    commands.tend(server, tune, 0.0)
    commands.stop(tune)

    assert (False, "") == (Path(tune.policy.command_socket).exists(), tune.identity.command_socket)
