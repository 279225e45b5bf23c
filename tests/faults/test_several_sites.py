"""Several sites on one host, none told where its metrics shall be: each finds a place, keeps it, and says it."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.processes import ended
from tests.faults.sites import configure, find_metrics, site
from tests.server import Server, wait_for

pytestmark = pytest.mark.real
AUTO = range(9877, 9897)


def published(server: Server) -> str:
    """The address in its status document."""
    url: str = server.wait_for_status(lambda status: status["server"]["metrics"], "its own address")
    return url


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """Two sites with all defaults, the second one started later."""
    folder = tmp_path_factory.mktemp("sites")
    with site(folder / "a", "first") as first, site(folder / "b", "second") as second:
        yield first, second


def test_each_site_finds_a_place_of_its_own(two: tuple[Server, Server]) -> None:
    """Both have metrics, each those of its own, and each document tells where."""
    ports = [server.metrics_port for server in two]
    pids = [server.status()["server"]["pid"] for server in two]

    assert (True, True) == (ports[0] < ports[1], set(ports) <= set(AUTO))
    assert [server.process.pid for server in two] == pids
    assert [f"http://127.0.0.1:{port}/metrics" for port in ports] == [published(server) for server in two]
    assert [200, 200] == [server.get()[0] for server in two]


def test_the_log_says_where_and_why_not_at_the_first_port(two: tuple[Server, Server]) -> None:
    """In one line."""
    lines = [line for line in two[1].log.splitlines() if "exporter listening" in line]

    assert (1, True) == (len(lines), 'instead_of=127.0.0.1:9877 error="Address already in use' in lines[0]), lines


def test_a_written_address_is_waited_for_and_its_holder_named(two: tuple[Server, Server], tmp_path: Path) -> None:
    """It is never changed; meanwhile the site serves."""
    taken = two[0].metrics_port
    with site(tmp_path, "third", ready=False, metrics=f"127.0.0.1:{taken}") as third:
        line = third.wait_for_log(r"cannot listen.*")
        answer = wait_for(lambda: third.get()[0], "an answer")
        other = "exporter listening" in third.log

    holder = f"by the gunicorn-autotune server with pid {two[0].process.pid}, 'first'"
    assert f'cannot listen address=127.0.0.1:{taken} error="Address already in use, {holder}" retrying' == line
    assert (200, False) == (answer, other)


def test_a_foreign_program_at_the_first_port_is_gone_around(tmp_path: Path) -> None:
    """Whoever it is, and although it never says a word."""
    with socket.socket() as foreign:
        foreign.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            foreign.bind(("127.0.0.1", AUTO[0]))
            foreign.listen()
        except OSError:
            pass  # another one has it: as good
        with site(tmp_path, "shop") as server:
            found = server.metrics_port

    assert True is (found in AUTO[1:])


def test_a_place_is_kept_over_a_reload_and_an_upgrade(tmp_path: Path) -> None:
    """Although a lower port became free: whoever scrapes it must not lose it."""
    with site(tmp_path / "b", "second", ready=False) as server, site(tmp_path / "a", "first") as first:
        # Whichever was first: the one with the higher port stays.
        find_metrics(server, 1)
        low, high = sorted((first, server), key=lambda one: one.metrics_port)
        kept = high.metrics_port
        low.stop()
        configure(high.folder, "renamed", high.port, user_metrics="off")
        high.signal(signal.SIGHUP)
        ports = [find_metrics(high, 2)]
        high.wait_for_status(lambda status: status["server"]["name"] == "renamed", "the new settings")
        high.signal(signal.SIGUSR2)
        new = int(wait_for(lambda: (high.folder / "g.pid.2").read_text(), "the new master's pid file"))
        try:
            high.wait_for_log(rf"\[{new}\] \[INFO\] autotune: exporter: cannot listen")
            high.signal(signal.SIGTERM)
            high.process.wait(20)
            ports.append(find_metrics(high, 3))
            told = published(high), high.status()["server"]["pid"]
        finally:
            os.kill(new, signal.SIGTERM)
            wait_for(lambda: ended(new), "the end of the new master")

    assert ([kept, kept], (f"http://127.0.0.1:{kept}/metrics", new)) == (ports, told)
