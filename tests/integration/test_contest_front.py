"""Contenders behind a real nginx, with files that the project's own command wrote."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from benchmarks.contest.contenders import APPS, Place
from benchmarks.contest.front import behind, http_of
from benchmarks.contest.fronted import TCP, UNIX, Fronted, fronted
from benchmarks.contest.workloads import WORKLOADS
from benchmarks.demo_server import NotStartedError, free_port, started, status_of
from benchmarks.faults.proxy import Proxy

from tests.proxy import installed_nginx

pytestmark = [pytest.mark.real, pytest.mark.once]
ADAPTIVE = fronted(UNIX, "adaptive")
STEP = WORKLOADS["step"]


def place_in(folder: Path, one: Fronted) -> Place:
    """Free ports, or the socket in the folder."""
    return one.place(Place(free_port(), free_port(), folder))


@contextmanager
def serving(folder: Path, core: int) -> Iterator[Proxy]:
    """The adaptive contender by its UNIX socket, behind nginx on one core."""
    installed_nginx()
    place = place_in(folder, ADAPTIVE)
    command = ADAPTIVE.contender.command(STEP, place)
    with (
        started(command, APPS, folder / "log.txt", place.port, place.metrics_port),
        behind(ADAPTIVE, folder, place, {core}) as front,
    ):
        yield front


def test_adaptive_answers_through_nginx_by_its_socket(tmp_path: Path) -> None:
    """The rendered files are in force: their timing log names the socket, and nothing went wrong."""
    with serving(tmp_path, min(os.sched_getaffinity(0))) as front:
        status = status_of(front.server.port, "/?c=0&w=0")
        errors = front.errors()
    logged = (front.folder / "site.timing.log").read_text().splitlines()[-1]

    assert (status, errors) == (200, {})
    assert f"upstream=unix:{tmp_path}/site.sock" in logged


def test_nginx_is_pinned_and_ends_with_its_run(tmp_path: Path) -> None:
    """Its worker has the cores of the generator only, and leaves none behind."""
    core = max(os.sched_getaffinity(0))
    with serving(tmp_path, core) as front:
        workers = psutil.Process(front.server.pid).children()
        pinned = [worker.cpu_affinity() for worker in workers]

    assert pinned == [[core]]
    assert psutil.wait_procs(workers, timeout=5)[1] == []


@pytest.mark.parametrize("way", [UNIX, TCP])
@pytest.mark.parametrize(("name", "kept"), [("adaptive", False), ("adaptive-gthread", True)])
def test_rendered_files_keep_connections_of_gthread_only(way: str, name: str, kept: bool, tmp_path: Path) -> None:
    """sync closes every connection."""
    one, home = fronted(way, name), tmp_path / "nginx"
    place = place_in(tmp_path, one)
    one.contender.command(STEP, place)
    http_of(one, home, place, free_port())
    upstream = (home / "conf.d" / "site-http.conf").read_text()

    assert f"server {one.address(place)} fail_timeout=0;" in upstream
    assert ("keepalive_time    2s;" in upstream) == kept


def test_files_that_cannot_be_rendered_are_named(tmp_path: Path) -> None:
    """The run says what is wrong, instead of failing on nginx's complaint about missing files."""
    place = replace(place_in(tmp_path, ADAPTIVE), folder=tmp_path / "nowhere")

    with pytest.raises(NotStartedError, match=r"nginx render: .*nowhere"):
        http_of(ADAPTIVE, tmp_path / "nginx", place, 8080)
