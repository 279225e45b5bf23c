"""Recorded hosts as `doctor` sees them, and what a probe of Gunicorn may have found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gunicorn_autotune.cli.doctor import CHECKS
from gunicorn_autotune.cli.finding import Host
from gunicorn_autotune.cli.probe import Probe
from gunicorn_autotune.cli.unit import watched
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.sensors.cgroup import find_cgroup, read_host

ROOT = Path(__file__).parents[3]
HOSTS = ROOT / "tests" / "fixtures" / "hosts"
SYNC = {
    "backlog": 2048, "keepalive": 2, "threads": 1, "worker_class_str": "sync", "worker_connections": 1000,
    "worker_tmp_dir": None,
}  # fmt: skip
GTHREAD = SYNC | {"worker_class_str": "gthread", "threads": 4}


def a_policy(**changes):
    """Autotune's settings as a probe reports them."""
    policy = Policy(**changes)
    return {name: getattr(policy, name) for name in policy.__slots__}


def a_probe(**changes):
    """A good Gunicorn with defaults, its exporter off so that no port matters."""
    return replace(Probe("27.0.1", (), SYNC, policy=a_policy(metrics="off"), kind="single"), **changes)


def a_gthread_probe(version="27.0.1", **changes):
    """The same with threads."""
    return a_probe(gunicorn=version, settings=GTHREAD | changes, kind="threaded")


def a_host(name="systemd-slice", location=None, probe=None):
    """A recorded host on which nothing of this machine counts but affinity and descriptors."""
    root = HOSTS / name
    cgroups = find_cgroup(root)
    return Host(
        root, location, probe or a_probe(), cgroups, read_host(cgroups, affinity_cores=64), watched(cgroups, None)
    )


def answer(check, host):
    """One check's finding."""
    finding = CHECKS[check](host)
    assert finding is not None
    return finding
