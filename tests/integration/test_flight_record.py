"""The flight record of a real Gunicorn: a replay decides the same, and what cannot be written costs nobody anything."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gunicorn_autotune.cli.flights import read_flight
from tests.faults.processes import descriptors
from tests.server import GUNICORN, environment, serving, wait_for

pytestmark = [pytest.mark.real, pytest.mark.once]


def replayed(folder: Path, name: str = "f.jsonl", *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and document of a replay, asked from outside."""
    ended = subprocess.run(
        [GUNICORN, "-m", "gunicorn_autotune", "replay", name, "--json", *arguments],
        cwd=folder, env=environment({}), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "" == ended.stderr
    return ended.returncode, json.loads(ended.stdout)


def wait_for_growth(path: Path) -> None:
    """Until a growth stands in the record."""
    wait_for(lambda: '"action":"grow"' in path.read_text(), f"a growth in {path.name}")


@pytest.mark.parametrize("worker_class", ["sync", "gthread"])
def test_a_replay_decides_what_was_decided(worker_class: str, tmp_path: Path) -> None:
    """Some load, a growth, and the same answers from the file alone; nobody else may read it."""
    path = tmp_path / "f.jsonl"
    config = f"worker_class = {worker_class!r}\nthreads = {4 if worker_class == 'gthread' else 1}\nbacklog = 512"
    with serving(tmp_path, config, unix=True, flight_record=str(path)) as server:
        clients = [server.connection() for _ in range(24)]
        for client in clients:
            client.request("GET", "/sleep?s=1")
        wait_for_growth(path)
        answers = {client.getresponse().status for client in clients}
        for client in clients:
            client.close()
        mode = stat.S_IMODE(path.stat().st_mode)
    code, document = replayed(tmp_path)

    assert ({200}, 0o600, 0, []) == (answers, mode, code, document["differences"])
    assert (worker_class, 512) == (document["server"]["worker_class"], document["server"]["backlog"])
    assert (False, False) == (str(tmp_path) in path.read_text(), "/sleep" in path.read_text())


def test_other_settings_are_tried_on_a_recorded_load(tmp_path: Path) -> None:
    """With three workers at most, the growth of then would have ended there."""
    path = tmp_path / "f.jsonl"
    with serving(tmp_path, flight_record=str(path)) as server:
        server.wait_for_ready(2)
        for _ in range(12):
            server.hold("/sleep?s=5")
        server.wait_for_status(lambda status: status["target"] > 3, "more than three")
        wait_for_growth(path)
    code, document = replayed(tmp_path, "f.jsonl", "--set", "max_workers=3")
    targets = {tick["now"]["target"] for tick in document["ticks"] if tick["now"]["action"] == "grow"}

    assert (1, {3}) == (code, targets)


@pytest.mark.once
def test_the_two_files_stay_within_the_bound_and_each_replays_alone(tmp_path: Path) -> None:
    """At the least bound the file is begun again within seconds; the law's memory goes along."""
    path, before = tmp_path / "f.jsonl", tmp_path / "f.jsonl.1"
    settings = {"flight_record_bytes": 1 << 20, "tick_seconds": 0.05, "min_workers": 16, "max_workers": 16}
    with serving(tmp_path, flight_record=str(path), **settings) as server:
        for _ in range(4):
            server.hold("/sleep?s=60")
        wait_for(before.exists, "a second file", seconds=60)
        wait_for(lambda: path.read_text().count("\n") > 10, "some ticks in it")
        sizes = path.stat().st_size + before.stat().st_size
        for client in server.held:
            client.close()
        server.signal(signal.SIGQUIT)
        server.process.wait(20)
    codes = [replayed(tmp_path, name)[0] for name in ("f.jsonl", "f.jsonl.1")]

    assert ([0, 0], True) == (codes, sizes <= 1 << 20)


def test_a_full_disk_costs_the_record_and_nothing_else(tmp_path: Path) -> None:
    """The kernel lets no file grow further: one line, one count, a whole last line, and the server serves and grows.

    The limit on the size of files needs neither root nor a mount, and fails in the same call as a full disk.
    """
    path = tmp_path / "f.jsonl"
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (60000, 60000))"
    config = f"import resource\ndef when_ready(server): {limit}"
    with serving(tmp_path, config, flight_record=str(path), tick_seconds=0.05) as server:
        for _ in range(10):
            server.hold("/sleep?s=1.5")
        server.wait_for_log("autotune: flight record stopped until the next HUP, Gunicorn serves on path=")
        server.wait_for_log("autotune: resize workers=.* action=grow")
        server.wait_for_status(lambda status: status["tally"]["errors"].get("record") == 1, "one counted error")
        ticks = server.status()["tally"]["ticks"]
        server.wait_for_status(lambda status: status["tally"]["ticks"] > ticks + 10, "ten more ticks")
        answer, told = server.get("/")[0], server.log.count("flight record stopped")
    flight = read_flight(path)

    assert (200, 1, "", True) == (answer, told, flight.fault, path.stat().st_size <= 60000)


def test_a_record_that_cannot_be_opened_costs_one_line(tmp_path: Path) -> None:
    """The folder is missing at first: the server serves; made later, the next HUP records."""
    path = tmp_path / "later" / "f.jsonl"
    with serving(tmp_path, flight_record=str(path)) as server:
        line = server.wait_for_log("autotune: flight record stopped .*")
        answer = server.get("/")[0]
        path.parent.mkdir()
        server.signal(signal.SIGHUP)
        wait_for(lambda: path.read_text().count("\n") > 2, "some ticks")
        told = server.log.count("flight record stopped")

    assert (200, 1, True) == (answer, told, f"path={path} error='No such file or directory'" in line)


def test_workers_do_not_hold_the_record_open(tmp_path: Path) -> None:
    """Only the arbiter has the file, so that a leaving worker can never write to it."""
    path = tmp_path / "f.jsonl"
    with serving(tmp_path, flight_record=str(path)) as server:
        wait_for(path.exists, "a record")
        server.signal(signal.SIGTTIN)
        workers = server.wait_for_ready(3)
        holders = [pid for pid in [server.process.pid, *workers] if str(path) in descriptors(pid)]

    assert [server.process.pid] == holders


def test_an_upgrade_keeps_both_records(tmp_path: Path) -> None:
    """After USR2 the new arbiter begins its own file and the old one goes on in `.1`: both replay."""
    path = tmp_path / "f.jsonl"
    with serving(tmp_path, f"pidfile = '{tmp_path}/g.pid'", flight_record=str(path)) as server:
        wait_for(path.exists, "a record")
        inode = path.stat().st_ino
        server.signal(signal.SIGUSR2)
        new = int(wait_for(lambda: (tmp_path / "g.pid.2").read_text(), "the new arbiter's pid file"))
        try:
            wait_for(lambda: path.stat().st_ino != inode and path.read_text().count("\n") > 2, "a record of its own")
            server.signal(signal.SIGTERM)
            server.process.wait(20)
        finally:
            os.kill(new, signal.SIGTERM)
            wait_for(lambda: not Path(f"/proc/{new}").exists(), "the end of the new arbiter")
    kept = (tmp_path / "f.jsonl.1").stat().st_ino
    codes = [replayed(tmp_path, name)[0] for name in ("f.jsonl", "f.jsonl.1")]

    assert (inode, [0, 0]) == (kept, codes)
