"""`recycle`: finds the socket, says what was queued, waits until the workers are gone, and its exit codes."""

from __future__ import annotations

import json
import math
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gunicorn_autotune.cli import commanding, main, recycle, running
from gunicorn_autotune.cli.running import PING
from tests.unit.cli.pages import a_whole_document, answering, healthy_pages

QUEUED = {"ok": True, "slots": [0], "pids": [5000], "mode": "active"}


@pytest.fixture
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A short path for the command socket."""
    return str(tmp_path_factory.mktemp("s") / "c")


@contextmanager
def commanded(path: str, reply: object, then: Callable[[], Any] = lambda: None) -> Iterator[list[bytes]]:
    """An arbiter that answers pings, and one command with `reply`; the command, for the test to look at."""
    got: list[bytes] = []

    def serve() -> None:
        while True:
            data, sender = arbiter.recvfrom(4096)
            if data != PING:
                break
            arbiter.sendto(b'{"ok": true, "pid": 1}', sender)
        got.append(data)
        arbiter.sendto(reply if isinstance(reply, bytes) else json.dumps(reply).encode(), sender)
        then()

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as arbiter:
        arbiter.bind(path)
        arbiter.settimeout(20)
        thread = threading.Thread(target=serve)
        thread.start()
        yield got
        thread.join()


def pages_of(path: object, **changes: Any) -> dict[str, tuple[int, str]]:
    """An exporter's, whose server has its command socket at `path`."""
    document = a_whole_document()
    server = document["server"] | {"command_socket": path}
    return healthy_pages(document | {"server": server} | changes)


def test_the_socket_is_found_through_the_exporter(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody types a path with a pid in it."""
    with answering(pages_of(path)) as address, commanded(path, QUEUED) as got:
        code = main(["recycle", "--slot", "0", "--server", address])

    assert (0, "queued: the workers of slot 0\n") == (code, capsys.readouterr().out)
    assert {"command": "recycle", "slots": [0]} == json.loads(got[0])


def test_a_command_socket_needs_no_exporter(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where metrics are off."""
    monkeypatch.setenv("GUNICORN_AUTOTUNE_METRICS", "off")
    with commanded(path, QUEUED) as got:
        code = main(["recycle", "--all", "--server", path])

    assert (0, {"command": "recycle", "slots": "all"}) == (code, json.loads(got[0]))


def test_json_is_the_servers_reply(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """For programs."""
    with commanded(path, QUEUED):
        main(["recycle", "--all", "--server", path, "--json"])

    assert QUEUED == json.loads(capsys.readouterr().out)


def test_a_paused_server_is_said_to_be_paused(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Or the operator would wonder why nothing happens."""
    with commanded(path, QUEUED | {"mode": "paused"}):
        main(["recycle", "--all", "--server", path])

    assert "the server is paused" in capsys.readouterr().out


def test_wait_ends_when_the_workers_are_gone(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Progress on stderr, the sum on stdout, exit code 0."""
    pages = pages_of(path)
    gone = pages_of(path, workers=[{"pid": 6000, "slot": 0, "state": "idle"}])
    with answering(pages) as address, commanded(path, QUEUED, then=lambda: pages.update(gone)):
        code = main(["recycle", "--all", "--server", address, "--wait", "60"])
    out, err = capsys.readouterr()

    assert (0, "done: slot 0\n") == (code, out)
    assert "recycle: 1 of 1 workers replaced" == err.splitlines()[-1]


def test_wait_that_ends_too_early_is_exit_code_2_and_names_the_pids(
    path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script must not take a time-out for success."""
    with answering(pages_of(path)) as address, commanded(path, QUEUED):
        code = main(["recycle", "--all", "--server", address, "--wait", "0.01"])

    assert (2, "not done in time: pids 5000 are still there\n") == (code, capsys.readouterr().out)


@pytest.mark.parametrize("seconds", [10.0, 10.1])
def test_wait_asks_at_a_steady_pace_until_its_time_is_over(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is asked every LOOK_SECONDS and once at the very end: no spinning, and no oversleeping."""
    now, looks = [100.0], []
    clocks = SimpleNamespace(monotonic=lambda: now[0], sleep=lambda length: now.append(now.pop() + length))
    monkeypatch.setattr(recycle, "time", clocks)

    def look() -> dict[str, Any]:
        looks.append(now[0])
        return {"workers": [{"pid": 5000}]}

    assert [5000] == recycle.wait_until_gone([5000, 5001], look, seconds)
    assert (100.0, 100.0 + seconds) == (looks[0], looks[-1])
    assert math.ceil(seconds / recycle.LOOK_SECONDS) + 1 == len(looks)


def test_wait_without_metrics_is_refused_before_anything_is_done(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing could tell when the workers are gone."""
    with commanded(path, QUEUED) as got:
        code = main(["recycle", "--all", "--server", path, "--wait", "1"])
        before = list(got)
        main(["recycle", "--all", "--server", path])

    assert (2, [], True) == (code, before, "tells no address of metrics" in capsys.readouterr().err)


def test_a_refusal_is_exit_code_1_and_one_printable_line(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With the server's reason, whatever it is made of."""
    with commanded(path, {"ok": False, "error": "slot 9: no\n\x1b[31m"}):
        code = main(["recycle", "--slot", "9", "--server", path])
    out, err = capsys.readouterr()

    assert (1, "", "gunicorn-autotune recycle: refused: slot 9: no\\n\\x1b[31m\n") == (code, out, err)


@pytest.mark.parametrize("told", ["", None, 7, "relative"])
def test_a_server_without_a_socket_is_exit_code_2(told: object, capsys: pytest.CaptureFixture[str]) -> None:
    """Its setting, or its log, says why."""
    with answering(pages_of(told)) as address:
        code = main(["recycle", "--all", "--server", address])

    assert (2, True) == (code, "this server has no command socket" in capsys.readouterr().err)


@pytest.mark.parametrize("reply", [b"", b"hello", b"[]", b"\xff"])
def test_what_is_no_reply_is_exit_code_2(reply: bytes, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Another program answers there."""
    with commanded(path, reply):
        code = main(["recycle", "--all", "--server", path])

    assert (2, True) == (code, "but not as an arbiter of gunicorn-autotune does" in capsys.readouterr().err)


def test_an_arbiter_that_does_not_answer_is_not_waited_for_for_ever(
    path: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may hang in a hook of the app."""
    monkeypatch.setattr(commanding.send_command, "__defaults__", (0.05,))
    monkeypatch.setattr(running, "PING_SECONDS", 0.05)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as arbiter:
        arbiter.bind(path)
        code = main(["recycle", "--all", "--server", path])

    assert (2, True) == (code, "no reply from" in capsys.readouterr().err)


def test_a_client_without_abstract_addresses_uses_a_file(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS; the file and its folder are gone afterwards."""
    bind, made = socket.socket.bind, []

    class Portable(socket.socket):
        def bind(self, address: Any) -> None:
            if not address:
                raise OSError("No such file or directory")
            made.append(Path(address).parent)
            bind(self, address)

    with commanded(path, QUEUED):
        monkeypatch.setattr(commanding.socket, "socket", Portable)
        reply = commanding.send_command(path, {"command": "recycle", "slots": [0]})

    assert (QUEUED, 1, [False]) == (reply, len(made), [folder.exists() for folder in made])


@pytest.mark.parametrize(
    "arguments", [[], ["--all", "--slot", "1"], ["--slot", "x"], ["--all", "--wait", "0"], ["--all", "--wait", "nan"]]
)
def test_bad_usage_is_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Which workers must be said."""
    with pytest.raises(SystemExit) as ended:
        main(["recycle", *arguments])

    assert 2 == ended.value.code
