"""Finding servers: command sockets that answer, that are silent, stale or not what they seem; the default ports."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from gunicorn_autotune.cli import asking, running
from gunicorn_autotune.cli.asking import get, parse_place
from gunicorn_autotune.cli.running import Running, folders, merged, sockets
from gunicorn_autotune.cli.style import CommandError
from gunicorn_autotune.exporter.address import Address
from tests.server import wait_for

ABOUT = {"ok": True, "pid": 7, "name": "shop", "bind": ["127.0.0.1:8000"], "metrics": "http://127.0.0.1:1/metrics",
         "workers": 3}  # fmt: skip


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only one that is looked into; a short path, the default ports are nobody's."""
    made = tmp_path_factory.mktemp("s")
    made.chmod(0o700)
    monkeypatch.setattr(running, "folders", lambda uid, environment: [made])
    monkeypatch.setattr(running, "AUTO_PORTS", range(1, 2))
    monkeypatch.setattr(running, "PING_SECONDS", 0.5)
    return made


@contextmanager
def arbiter(path: Path, reply: object) -> Iterator[None]:
    """Answers one datagram; never when the reply is None."""

    def serve() -> None:
        with suppress(OSError):
            _, sender = own.recvfrom(4096)
            own.sendto(reply if isinstance(reply, bytes) else json.dumps(reply).encode(), sender)

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
        own.bind(str(path))
        if reply is not None:
            own.settimeout(20)
            threading.Thread(target=serve, daemon=True).start()
        yield
        with suppress(OSError):
            own.shutdown(socket.SHUT_RDWR)  # wakes the thread


def test_each_arbiter_tells_of_itself(folder: Path) -> None:
    """By pid, whatever the order of their files."""
    with arbiter(folder / "9.sock", ABOUT), arbiter(folder / "10.sock", ABOUT | {"pid": 5, "name": "blog"}):
        found = running.running({})

    assert [(5, "blog"), (7, "shop")] == [(one.pid, one.name) for one in found]
    assert Running(7, "shop", ("127.0.0.1:8000",), ABOUT["metrics"], 3, f"{folder}/9.sock") == found[1]


def test_one_that_is_held_up_is_listed_by_its_pid(folder: Path) -> None:
    """After a time that does not grow with their number."""
    with ExitStack() as stack:
        for pid in range(11, 15):
            stack.enter_context(arbiter(folder / f"{pid}.sock", None))
        found = running.running({})

    assert [11, 12, 13, 14] == [one.pid for one in found]


def test_what_a_dead_arbiter_left_is_no_server(folder: Path) -> None:
    """Nor is a file of another kind."""
    with arbiter(folder / "7.sock", None):
        pass
    (folder / "8.sock").write_text("")
    (folder / "metrics-9.sock").write_text("")

    assert [] == running.running({})


@pytest.mark.parametrize("reply", [b"", b"\xff", b"[]", b"[" * 9000, {"ok": False}, {"pid": "7"}, {"pid": True}])
def test_what_is_no_reply_is_no_server(reply: object, folder: Path) -> None:
    """Another program answers there."""
    with arbiter(folder / "7.sock", reply):
        assert [] == running.running({})


def test_what_a_server_tells_stays_short_and_printable(folder: Path) -> None:
    """Of another type it is not told at all."""
    odd: dict[str, Any] = {"pid": 7, "name": "a\n\x1b" + "x" * 999, "bind": "x", "metrics": 7, "workers": "3"}
    with arbiter(folder / "7.sock", odd):
        one = running.running({})[0]

    assert (True, True) == (one.name.isprintable(), len(one.name) < 250)
    assert ((), "", None) == (one.bind, one.metrics, one.workers)


@pytest.mark.parametrize("mode", [0o770, 0o777, 0o702])
def test_a_folder_in_which_others_may_write_is_not_believed(mode: int, folder: Path) -> None:
    """Whoever puts a socket there would be taken for a server."""
    with arbiter(folder / "7.sock", ABOUT):
        folder.chmod(mode)
        assert [] == sockets([folder])


def test_a_user_looks_in_his_own_folders_and_root_in_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also in those of an environment that the server had and we have not."""
    (tmp_path / "gunicorn-autotune-33").mkdir()
    monkeypatch.setattr(running.tempfile, "gettempdir", lambda: str(tmp_path))
    mine = set(map(str, folders(1000, {"XDG_RUNTIME_DIR": "/x"})))
    roots = set(map(str, folders(0, {})))

    assert {"/x/gunicorn-autotune", "/run/user/1000/gunicorn-autotune", f"{tmp_path}/gunicorn-autotune-1000"} <= mine
    assert {"/run/gunicorn-autotune", f"{tmp_path}/gunicorn-autotune-33"} <= roots
    assert f"{tmp_path}/gunicorn-autotune-33" not in mine


def test_servers_of_units_are_looked_for_in_their_runtime_folders(tmp_path: Path) -> None:
    """RuntimeDirectory=shop; both by root and by the service's own user."""
    (tmp_path / "shop").mkdir()

    assert tmp_path / "shop" / "gunicorn-autotune" in folders(0, {}, tmp_path)
    assert tmp_path / "shop" / "gunicorn-autotune" in folders(1000, {}, tmp_path)


def test_each_server_is_told_once() -> None:
    """Found by its socket and at a default port; the one that is held up tells more at its port."""
    shop, url = Running(1, "shop", (":1",), "http://a/metrics", 2, "/c/1"), "http://127.0.0.1:9878/metrics"
    at_ports = [
        Running(1, "shop", (":1",), "http://b/metrics"), Running(2, "held", (":2",), url), Running(None, metrics="http://c"),
    ]  # fmt: skip

    assert [shop, Running(2, "held", (":2",), url, None, "/c/2"), at_ports[2]] == merged(
        [shop, Running(2, command_socket="/c/2")], at_ports
    )


def test_an_exporter_at_a_default_port_needs_no_socket(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of another user, or with command_socket = off; one that wants a token tells only where it is."""
    documents = {
        1: {"server": {"pid": 7, "name": "shop", "command_socket": "/c"}, "workers": [{}],
            "listeners": [{"address": "http://127.0.0.1:8000"}]},
        2: {}, 3: None, 4: {"server": [], "listeners": 1},
    }  # fmt: skip
    monkeypatch.setattr(running, "AUTO_PORTS", documents)
    monkeypatch.setattr(running.holder, "document", lambda address: documents[address.port])
    found = running.running({})

    assert Running(7, "shop", ("127.0.0.1:8000",), "http://127.0.0.1:1/metrics", 1, "/c") == found[-1]
    assert [None, None, 7] == [one.pid for one in found]


def test_a_server_that_drips_does_not_hold_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte begins the socket's own timeout anew."""
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.5)
    gone = threading.Event()

    def drip() -> None:
        client, _ = owner.accept()
        with client:
            try:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while not gone.wait(0.02):
                    client.sendall(b" ")
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as owner:
        threading.Thread(target=drip, daemon=True).start()
        place = parse_place(str(Address("127.0.0.1", owner.getsockname()[1])), "--server")
        try:
            with pytest.raises(CommandError, match=r"has not answered within 0\.5 s"):
                get(place, "/status.json")
        finally:
            gone.set()
            wait_for(lambda: asking.THREAD not in {thread.name for thread in threading.enumerate()}, "its thread's end")
