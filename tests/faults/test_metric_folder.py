"""PROMETHEUS_MULTIPROC_DIR holds other people's files, and another server's: none is touched, nothing hangs."""

from __future__ import annotations

import os
from pathlib import Path
from subprocess import run

import pytest

from tests.server import Server, command, environment, launched, serving, wait_for

pytestmark = pytest.mark.real
DEAD = (1 << 22) + 7
"""No kernel gives a pid as high as this."""


def _fill(folder: Path) -> set[str]:
    """Files of others, and names that only look like metric files; and one metric file of a process that is gone."""
    folder.mkdir()
    outside = folder.parent / "outside.db"
    outside.write_text("mine")
    (folder / "shop.db").write_bytes(b"SQLite format 3\0" * 64)
    (folder / f"counter_{DEAD}.db").symlink_to(outside)
    os.mkfifo(folder / "counter_1.db")
    (folder / "histogram_1.db").mkdir()
    (folder / "summary_1.db").touch()
    (folder / f"counter_{DEAD}\n.db").touch()
    others = {path.name for path in folder.iterdir()}
    (folder / f"summary_{DEAD}.db").touch()
    return others


def _env(folder: Path) -> dict[str, str]:
    return {"PROMETHEUS_MULTIPROC_DIR": str(folder)}


def _pages(server: Server) -> float:
    try:
        return server.metric('shop_pages_total{page="front"}')
    except KeyError:
        return 0.0


def _exit_code(folder: Path, *arguments: str) -> int:
    env = environment(_env(folder / "metrics"))
    return run(command([*arguments, "counted:app"]), cwd=folder, env=env, capture_output=True, timeout=60).returncode


def test_files_of_others_stay_and_the_scrape_goes_on(tmp_path: Path) -> None:
    """A database, a link, a pipe, a folder, an empty file: all there after the start, as on plain Gunicorn."""
    ours, plain = tmp_path / "ours", tmp_path / "plain"
    for folder in (ours, plain):
        folder.mkdir()
    others = _fill(ours / "metrics"), _fill(plain / "metrics")
    with serving(ours, app="counted:app", env=_env(ours / "metrics"), max_workers=2) as server:
        answers = {server.get("/")[0] for _ in range(10)}
        counted = wait_for(lambda: _pages(server) == 10, "ten pages")
        mode = server.status()["mode"]
    with launched(plain, "--workers", "1", app="counted:app", env=_env(plain / "metrics")) as server:
        server.wait_for_workers(1)
    left = [{path.name for path in (folder / "metrics").iterdir()} for folder in (ours, plain)]

    assert (answers, counted, mode, (ours / "outside.db").read_text()) == ({200}, True, "active", "mine")
    assert (others[0] - left[0], others[1] - left[1], f"summary_{DEAD}.db" in left[0]) == (set(), set(), False)


def test_a_start_that_fails_and_a_check_leave_the_running_server_its_metrics(tmp_path: Path) -> None:
    """ "Already running", an address in use, --check-config: the counts of the server that runs go on."""
    metrics, pidfile = tmp_path / "metrics", tmp_path / "pid"
    metrics.mkdir()
    with serving(tmp_path, f"pidfile = {str(pidfile)!r}\n", app="counted:app", env=_env(metrics)) as server:
        for _ in range(5):
            server.get("/")
        config, taken = tmp_path / "gunicorn.conf.py", tmp_path / "taken.py"
        # Without the pid file it goes as far as the address; Gunicorn tries that for five seconds.
        taken.write_text(config.read_text().replace("pidfile", "ignored") + "import time\ntime.sleep = id\n")
        codes = [_exit_code(tmp_path, "-c", str(config)), _exit_code(tmp_path, "-c", str(taken))]
        checked = _exit_code(tmp_path, "-c", str(config), "--check-config")
        for _ in range(5):
            server.get("/")
        counted = wait_for(lambda: _pages(server) == 10, "ten pages")

    assert (all(codes), checked, counted) == (True, 0, True), codes


def test_a_second_server_in_the_same_folder_keeps_the_counts_of_the_first(tmp_path: Path) -> None:
    """Both live: each finds the other's files in use."""
    metrics, second = tmp_path / "metrics", tmp_path / "second"
    for folder in (metrics, second):
        folder.mkdir()
    with serving(tmp_path, app="counted:app", env=_env(metrics), max_workers=2) as server:
        for _ in range(5):
            server.get("/")
        with serving(second, app="counted:app", env=_env(metrics), max_workers=2) as other:
            other.get("/")
            counted = wait_for(lambda: _pages(server) == _pages(other) == 6, "the pages of both")

    assert counted
