"""Who listens on this host, as the kernel tells it."""

from __future__ import annotations

import socket
from pathlib import Path

from gunicorn_autotune.cli.nginx_running import read_listening


def test_a_port_that_listens_is_among_them() -> None:
    """Of both families."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port, listening = server.getsockname()[1], read_listening()

    assert listening is not None and port in listening


def test_a_port_that_is_only_connected_is_not(tmp_path: Path) -> None:
    """State 01 is an open connection."""
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text("  sl  local_address\n   0: 0100007F:1F40 0100007F:0050 01 0 0\n")

    assert read_listening(tmp_path) == frozenset()


def test_where_the_kernel_tells_nothing_nothing_is_known(tmp_path: Path) -> None:
    """None, not an empty set."""
    assert read_listening(tmp_path) is None
