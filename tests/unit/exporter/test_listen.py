"""Where the exporter listens: taken ports, both families, unix sockets."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from gunicorn_autotune.exporter import serve
from gunicorn_autotune.exporter.address import LEAVE_SIGNAL, Address, Settings, parse_address
from tests.server import free_port
from tests.unit.exporter.running import exporting, fetch

pytestmark = pytest.mark.real


def test_port_taken_is_told_once_and_retried_until_free():
    """A USR2 upgrade runs two masters: the new exporter waits for the old one's port."""
    with socket.create_server(("127.0.0.1", 0)) as owner:
        taken = owner.getsockname()[1]
        with exporting(f"127.0.0.1:{taken}", retry_seconds=0.2) as exporter:
            line = exporter.wait_for_line("exporter: cannot listen")
            assert f'exporter: cannot listen address=127.0.0.1:{taken} error="Address already in use" retrying' == line
            owner.close()
            assert taken == exporter.port
            assert fetch(taken).status == 200
    assert sum(line.startswith("exporter: cannot") for line in exporter.lines) == 1


def test_a_port_that_was_taken_for_an_hour_is_asked_for_as_often_as_at_first(monkeypatch: pytest.MonkeyPatch):
    """Two masters may live side by side for long; the gap in the metrics afterwards is one pause. It is told once."""
    pauses: list[float] = []
    told: list[str] = []

    def taken(_address: Address) -> socket.socket:
        if sum(pauses) < 3600:
            raise OSError("taken")
        return socket.socket()

    monkeypatch.setattr(serve.listen, "listen", taken)
    monkeypatch.setattr(serve._Life, "nap", lambda _life, seconds: pauses.append(seconds))
    settings = Settings(parse_address("127.0.0.1:1"))
    found = serve._place(settings, None, told.append, serve._Life(lambda: True))
    assert found is not None
    found.listener.close()

    assert (True, 1) == (max(pauses) <= 0.5, len(told))


def test_every_interface_means_both_families():
    """`:PORT` answers on IPv4 and, where the host has it, on IPv6."""
    with exporting(f":{free_port()}") as exporter:
        assert fetch(exporter.port).status == 200
        if socket.has_dualstack_ipv6():
            assert fetch(exporter.port, host="::1").status == 200


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 on this host")
def test_ipv6_loopback():
    """`[::1]:PORT`."""
    with exporting("[::1]:0") as exporter:
        assert fetch(exporter.port, host="::1").status == 200


def test_unix_socket_is_for_owner_and_group_and_goes_with_the_process(tmp_path: Path):
    """Mode 0660; the file is removed at the end."""
    path = tmp_path / "m.sock"
    with exporting(f"unix:{path}") as exporter:
        assert f"exporter listening address=unix:{path}" == exporter.wait_for_line("exporter listening")
        assert fetch(str(path)).status == 200
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        exporter.process.send_signal(LEAVE_SIGNAL)
        assert exporter.process.wait(10) == 0
        assert not path.exists()


def test_stale_unix_socket_is_replaced(tmp_path: Path):
    """A file that a killed exporter left behind does not keep the next one out."""
    path = tmp_path / "m.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with exporting(f"unix:{path}") as exporter:
        exporter.wait_for_line("exporter listening")
        assert fetch(str(path)).status == 200


def test_unix_socket_somebody_answers_on_is_left_alone(tmp_path: Path):
    """The old master's exporter keeps its socket during an upgrade."""
    path = tmp_path / "m.sock"
    with exporting(f"unix:{path}") as first:
        first.wait_for_line("exporter listening")
        inode = path.stat().st_ino
        with exporting(f"unix:{path}", retry_seconds=0.2) as second:
            second.wait_for_line("exporter: cannot listen")
            assert inode == path.stat().st_ino
            first.process.send_signal(LEAVE_SIGNAL)
            second.wait_for_line("exporter listening")
            assert fetch(str(path)).status == 200


def test_file_that_is_no_socket_is_left_alone(tmp_path: Path):
    """A mistyped path costs no file."""
    path = tmp_path / "precious"
    path.write_text("data")
    with exporting(f"unix:{path}") as exporter:
        exporter.wait_for_line("exporter: cannot listen")
    assert path.read_text() == "data"
