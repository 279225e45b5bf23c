"""Several sites on one host, none told where its metrics shall be: each finds a place, keeps it, and says it."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from gunicorn_autotune.cli import main
from tests.faults.processes import ended
from tests.faults.sites import configure, find_metrics, site
from tests.server import Server, launched, wait_for

pytestmark = pytest.mark.real
FIRST, SECOND = f"first{os.getpid()}", f"second{os.getpid()}"
"""Names of their own in every process of a parallel run: a name that two servers have is not guessed."""
AUTO = range(9877, 9897)


def published(server: Server) -> str:
    """The address in its status document."""
    url: str = server.wait_for_status(lambda status: status["server"]["metrics"], "its own address")
    return url


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """Two sites with all defaults, the second one started later."""
    folder = tmp_path_factory.mktemp("sites")
    with site(folder / "a", FIRST) as first, site(folder / "b", SECOND) as second:
        yield first, second


def test_each_site_finds_a_place_of_its_own(two: tuple[Server, Server]) -> None:
    """Both have metrics, each those of its own, and each document tells where."""
    ports = [server.metrics_port for server in two]
    pids = [server.status()["server"]["pid"] for server in two]

    assert (2, True) == (len(set(ports)), set(ports) <= set(AUTO))
    assert [server.process.pid for server in two] == pids
    assert [f"http://127.0.0.1:{port}/metrics" for port in ports] == [published(server) for server in two]
    assert [200, 200] == [server.get()[0] for server in two]


def test_the_log_says_where_and_why_not_at_the_first_port(two: tuple[Server, Server]) -> None:
    """In one line."""
    for server in two:
        lines = [line for line in server.log.splitlines() if "exporter listening" in line]
        why = 'instead_of=127.0.0.1:9877 error="Address already in use'
        assert [server.metrics_port != AUTO[0]] == [why in line for line in lines], lines


def test_a_written_address_is_waited_for_and_its_holder_named(two: tuple[Server, Server], tmp_path: Path) -> None:
    """It is never changed; meanwhile the site serves."""
    taken = two[0].metrics_port
    with site(tmp_path, "third", ready=False, metrics=f"127.0.0.1:{taken}") as third:
        line = third.wait_for_log(r"cannot listen.*")
        answer = wait_for(lambda: third.get()[0], "an answer")
        other = "exporter listening" in third.log

    holder = f"by the gunicorn-autotune server with pid {two[0].process.pid}, {FIRST!r}"
    assert f'cannot listen address=127.0.0.1:{taken} error="Address already in use, {holder}" retrying' == line
    assert (200, False) == (answer, other)


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, output and errors of one command."""
    code = main(list(words))
    return (code, *capsys.readouterr())


@pytest.fixture
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but the word says which server is meant."""
    monkeypatch.delenv("GUNICORN_AUTOTUNE_METRICS", raising=False)


@pytest.mark.usefixtures("no_variable")
def test_status_finds_each_site_by_whatever_names_it(
    two: tuple[Server, Server], capsys: pytest.CaptureFixture[str]
) -> None:
    """Pid, pid file, bind, name, metrics."""
    for server, name in zip(two, (FIRST, SECOND), strict=True):
        words = (
            str(server.process.pid), f"{server.folder}/g.pid", f"127.0.0.1:{server.port}", f":{server.port}",
            f"localhost:{server.port}", name, f"127.0.0.1:{server.metrics_port}", published(server),
            wait_for(lambda server=server: server.status()["server"]["command_socket"], "a command socket"),
        )  # fmt: skip
        for word in words:
            code, out, err = asked(capsys, "status", "--json", "--server", word)
            assert (0, server.process.pid) == (code, json.loads(out or "{}").get("server", {}).get("pid")), (word, err)


@pytest.mark.usefixtures("no_variable")
def test_without_a_word_the_sites_are_listed_and_none_is_asked(
    two: tuple[Server, Server], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2; a line for each on standard error, or JSON."""
    for server in two:
        published(server)
    code, out, err = asked(capsys, "status")
    code_json, listed, _ = asked(capsys, "status", "--json")
    entries = {entry["pid"]: entry for entry in json.loads(listed)["servers"]}

    assert (2, 2, "") == (code, code_json, out)
    for server, name in zip(two, (FIRST, SECOND), strict=True):
        line = next(line for line in err.splitlines() if line.split()[0] == str(server.process.pid))
        assert [name, f"127.0.0.1:{server.port}", published(server)] == line.split()[1:4]
        assert (name, published(server)) == (
            entries[server.process.pid]["name"],
            entries[server.process.pid]["metrics"],
        )


@pytest.mark.usefixtures("no_variable")
def test_recycle_replaces_the_workers_of_the_site_that_was_named(
    two: tuple[Server, Server], capsys: pytest.CaptureFixture[str]
) -> None:
    """And of no other."""
    before = [set(server.wait_for_ready(2)) for server in two]
    code, out, err = asked(capsys, "recycle", "--slot", "0", "--server", SECOND, "--wait", "60")
    after = [set(server.wait_for_ready(2)) for server in two]

    assert (0, "done: slot 0\n") == (code, out), err
    assert (before[0], 1) == (after[0], len(before[1] - after[1]))


@pytest.mark.usefixtures("no_variable")
def test_plan_and_nginx_go_by_the_site_that_was_named(
    two: tuple[Server, Server], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its requests; its address, and its metrics where they really are."""
    ended = threading.Event()
    with ThreadPoolExecutor() as clients:
        for _ in range(2):
            clients.submit(lambda: [two[1].get() for _ in iter(ended.is_set, True)])
        try:
            of_idle = asked(capsys, "plan", "--seconds", "1", "--server", FIRST)
            planned = wait_for(
                lambda: json.loads(asked(capsys, "plan", "--json", "--seconds", "2", "--server", SECOND)[1] or "{}"),
                "a plan from a hundred requests",
            )
        finally:
            ended.set()
    rendered, files, complaint = asked(
        capsys, "nginx", "render", "--server", SECOND, "--name", "shop", "--nginx-version", "1.22.1",
        "--print", "conf.d/shop-metrics.conf",
    )  # fmt: skip

    assert (2, True, True) == (of_idle[0], "requests finished" in of_idle[2], "workers = " in planned["file"])
    assert (0, True) == (rendered, f"proxy_pass http://127.0.0.1:{two[1].metrics_port};" in files), complaint


@contextmanager
def plain(folder: Path) -> Iterator[Server]:
    """Gunicorn without us."""
    with launched(folder, "-w", "2") as server:
        server.wait_for_workers(2)
        yield server


def test_a_foreign_program_at_the_first_port_is_gone_around(tmp_path: Path) -> None:
    """Whoever it is, and although it never says a word; the site serves as it would without us."""
    with socket.socket() as foreign:
        foreign.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            foreign.bind(("127.0.0.1", AUTO[0]))
            foreign.listen()
            allowed = AUTO[1:]
        except OSError:
            allowed = AUTO  # a site of a parallel test has it, and may be gone a moment later
        with site(tmp_path / "shop", "shop") as server, plain(tmp_path) as other:
            found = server.metrics_port
            answers = [one.get("/") for one in (server, other)]

    assert (True, answers[1]) == (found in allowed, answers[0])


@pytest.mark.usefixtures("no_variable")
def test_a_site_without_a_command_socket_is_found_at_its_port(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its name; what it cannot do is said."""
    with site(tmp_path, "closed", command_socket="off") as server:
        published(server)
        code, out, _ = asked(capsys, "status", "--server", "closed")
        refused, _, err = asked(capsys, "recycle", "--all", "--server", str(server.process.pid))

    assert (0, True) == (code, f"closed, metrics http://127.0.0.1:{server.metrics_port}/metrics" in out)
    assert (2, True) == (refused, "this server has no command socket" in err)


def test_a_place_is_kept_over_a_reload_and_an_upgrade(tmp_path: Path) -> None:
    """Although a lower port became free: whoever scrapes it must not lose it."""
    with site(tmp_path / "b", SECOND, ready=False) as server, site(tmp_path / "a", FIRST) as first:
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
