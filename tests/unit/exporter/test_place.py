"""Which address the exporter takes, and who has the one it wanted."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gunicorn_autotune.exporter import holder
from gunicorn_autotune.exporter.address import Address, Settings
from gunicorn_autotune.exporter.place import Places
from gunicorn_autotune.runtime import exporter_main
from tests.server import free_port
from tests.unit.exporter.running import exporting

HERE = "127.0.0.1"


@pytest.fixture
def taken() -> Iterator[Address]:
    """An address that somebody silent listens at."""
    with socket.create_server((HERE, 0)) as owner:
        yield Address(HERE, owner.getsockname()[1])


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is silent is asked for a moment only."""
    monkeypatch.setattr(holder, "ASK_SECONDS", 0.2)


def take(settings: Settings, now: float = 0.0, since: float = 0.0) -> str:
    """The address had at `now` by an exporter that waits since `since`."""
    place = Places(settings, since).take(now)
    place.listener.close()
    return str(place.address)


def test_a_written_address_that_is_taken_is_never_another_one(taken: Address) -> None:
    """The error is passed on, to be tried again."""
    with pytest.raises(OSError, match="in use"):
        take(Settings(taken))


def test_the_first_free_one_of_the_others_is_had(taken: Address) -> None:
    """In their order, and why is told."""
    free = Address(HERE, free_port())
    place = Places(Settings(taken, others=lambda: [taken, free, Address(HERE, free_port())]), 0.0).take(0.0)
    place.listener.close()

    assert (free, "Address already in use") == (place.address, place.why_not_first)


def test_none_free_is_the_error_of_the_first_choice(taken: Address) -> None:
    """Which is the one to be named in the log."""
    with pytest.raises(OSError, match=str(taken.port)):
        take(Settings(taken, others=lambda: [taken, Address(path="/nowhere/m.sock")]))


def test_an_address_we_had_is_waited_for_before_another_is_taken(taken: Address) -> None:
    """As long as the patience lasts."""
    free = Address(HERE, free_port())
    settings = Settings(taken, others=lambda: [free], patience_seconds=5.0)
    with pytest.raises(OSError, match="in use"):
        take(settings, now=4.9)

    assert str(free) == take(settings, now=5.0)


def test_while_the_old_master_lives_its_address_is_waited_for(taken: Address) -> None:
    """Patience begins when it has left."""
    free = Address(HERE, free_port())
    old = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    places = Places(
        Settings(taken, others=lambda: [free], patience_seconds=5.0, predecessor_pid=old.pid), 0.0
    )  # fmt: skip
    with pytest.raises(OSError, match="in use"):
        places.take(1000.0)
    old.communicate()
    with pytest.raises(OSError, match="in use"):
        places.take(1004.0)
    place = places.take(1005.0)
    place.listener.close()

    assert free == place.address


def test_when_no_port_is_free_it_is_a_socket_in_the_runtime_folder(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is made, for its owner alone."""
    folder = tmp_path_factory.mktemp("s") / "ours"
    monkeypatch.setattr(exporter_main, "AUTO_PORTS", range(0))
    monkeypatch.setattr(exporter_main.command_socket, "automatic_folder", lambda uid, environment: folder)

    assert [Address(path=f"{folder}/metrics-{os.getpid()}.sock")] == list(exporter_main.free_places())
    assert 0o700 == folder.stat().st_mode & 0o777


@pytest.mark.real
def test_another_exporter_is_named() -> None:
    """By its pid."""
    with exporting() as exporter:
        who = holder.who(Address(HERE, exporter.port))

    assert who.startswith("the gunicorn-autotune server with pid "), who


@pytest.mark.real
def test_another_exporter_that_wants_a_token_is_known_as_one(tmp_path_factory: pytest.TempPathFactory) -> None:
    """It tells no stranger its pid."""
    token = tmp_path_factory.mktemp("t") / "token"
    token.write_text("secret\n")
    with exporting(bearer_token_file=str(token)) as exporter:
        assert "another gunicorn-autotune server" == holder.who(Address(HERE, exporter.port))


@contextmanager
def answering(answer: bytes) -> Iterator[Address]:
    """Somebody who sends `answer` byte by byte and then goes on, for ever."""

    def serve() -> None:
        client, _ = owner.accept()
        with client:
            try:
                client.sendall(answer)
                while True:
                    client.sendall(b" ")
                    time.sleep(0.02)
            except OSError:
                return

    with socket.create_server((HERE, 0)) as owner:
        threading.Thread(target=serve, daemon=True).start()
        yield Address(HERE, owner.getsockname()[1])


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.0 200 OK\r\nServer: nginx\r\n\r\n{}", b"\xff" * 5000]
)
def test_a_stranger_is_not_named_and_not_listened_to_for_ever(answer: bytes) -> None:
    """Its answer has no end."""
    started = time.monotonic()
    with answering(answer) as address:
        assert "" == holder.who(address)

    assert time.monotonic() - started < 10


def test_what_another_server_tells_of_itself_stays_one_short_printable_word() -> None:
    """Whoever answers there may write anything."""
    head = b"HTTP/1.0 200 OK\r\nServer: gunicorn-autotune\r\n\r\n"
    with answering(head + b'{"server": {"pid": 7, "name": "a\\n\\u001b' + b"x" * 500 + b'"}}') as address:
        who = holder.who(address)

    assert (True, True) == (who.isprintable(), len(who) < 100), who
