"""Processes that the app forks count fully, as on plain Gunicorn, and leave neither files nor live gauges behind."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gunicorn_autotune.exporter import multiprocess
from tests.server import GUNICORN, Server, launched, serving, wait_for, write_config

pytestmark = pytest.mark.real
KINDS = {"fork": 40, "pool": 40, "thread": 40, "spawn": 5}
HAS_DIRTY_WORKERS = not subprocess.run([GUNICORN, "-c", "import gunicorn.dirty"], capture_output=True).returncode
if HAS_DIRTY_WORKERS:
    KINDS["dirty"] = 40
CONFIG = "workers = 2\ntimeout = 120\n"
if HAS_DIRTY_WORKERS:
    CONFIG += "dirty_apps = ['forking_dirty:Jobs']\ndirty_workers = 4\n"


def _counted(metrics: Path) -> dict[str, float]:
    """Jobs by kind, and those that still run as it seems."""
    families = multiprocess.merge(str(metrics), pytest.fail)
    samples = [sample for family in families for sample in family.samples]
    return {
        sample.labels.get("kind", "running"): sample.value
        for sample in samples
        if sample.name in ("shop_jobs_total", "shop_running")
    }


def _work(server: Server) -> None:
    for kind, jobs in KINDS.items():
        assert server.get(f"/{kind}/{jobs}", timeout=60)[0] == 200, server.log


@contextmanager
def _plain(folder: Path, env: dict[str, str]) -> Iterator[Server]:
    path = write_config(folder, CONFIG)
    with launched(folder, "-c", str(path), app="forking:app", env=env) as server:
        wait_for(lambda: server.get("/")[0] == 200, "an answer")
        yield server


def test_every_job_of_a_forked_process_is_counted(tmp_path: Path) -> None:
    """multiprocessing, a pool, os.fork in a thread, spawn, dirty workers: as many as plain Gunicorn counts."""
    ours, plain = tmp_path / "ours", tmp_path / "plain"
    for folder in (ours, plain):
        (folder / "metrics").mkdir(parents=True)
    env = {"PROMETHEUS_MULTIPROC_DIR": str(ours / "metrics")}
    with serving(ours, f"{CONFIG}preload_app = True\n", app="forking:app", env=env) as server:
        _work(server)
        gauges = server.metric("shop_running") if "shop_running" in server.exporter("/metrics")[1] else 0.0
        forked = {path.stem.rpartition("_")[2] for path in (ours / "metrics").glob("counter_*child*.db")}
    with _plain(plain, {"PROMETHEUS_MULTIPROC_DIR": str(plain / "metrics")}) as server:
        _work(server)
    counted, expected = _counted(ours / "metrics"), _counted(plain / "metrics")

    assert {kind: counted.get(kind) for kind in KINDS} == {kind: expected.get(kind) for kind in KINDS} == KINDS
    # Those of `spawn` know nothing of us and are named by pid, as ever.
    assert (gauges <= KINDS["spawn"], len(forked) <= 12) == (True, True), (gauges, forked)
