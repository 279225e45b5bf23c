"""Doctor on hosts whose limits, or whose /proc, are hidden: what is unknown, and the line that cures it."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from gunicorn_autotune.cli.finding import Level
from gunicorn_autotune.sensors import process
from tests.unit.cli.hosts import HOSTS, SYNC, a_host, a_policy, a_probe, answer


@pytest.fixture
def container(tmp_path):
    """The recorded podman container without any limit: it is the root of its own namespace."""
    root = Path(shutil.copytree(HOSTS / "podman", tmp_path / "podman"))
    (root / "sys/fs/cgroup/memory.max").write_text("max\n")
    (root / "sys/fs/cgroup/cpu.max").write_text("max 100000\n")
    return root


def at(root, **policy):
    """That host as doctor sees it."""
    return a_host(root, probe=a_probe(policy=a_policy(**policy)))


@pytest.mark.parametrize(
    ("check", "setting"), [("memory_limit", "memory_limit_bytes"), ("cpu_limit", "cpu_limit_cores")]
)
def test_no_limit_at_the_root_of_a_namespace_is_a_warning(container, check, setting):
    """The pod's may be out of sight; a setting that is written ends it."""
    finding, written = answer(check, at(container)), answer(check, at(container, **{setting: 2}))

    assert (finding.level, written.level == Level.OK or "out of sight" not in written.finding) == (Level.WARN, True)
    assert "out of sight" in finding.finding
    assert setting in finding.advice


def test_a_limit_in_view_is_no_warning(container):
    """The usual container."""
    (container / "sys/fs/cgroup/cpu.max").write_text("200000 100000\n")

    assert answer("cpu_limit", at(container)).level == Level.OK


def test_a_mount_above_the_namespace_names_both_settings(container):
    """Memory, cores and the cgroup itself say so."""
    mounts = container / "proc/self/mountinfo"
    lines = mounts.read_text().splitlines()
    mounts.write_text(
        "".join(f"{line.replace(' / ', ' /../.. ', 1) if 'cgroup2' in line else line}\n" for line in lines)
    )
    host = at(container)
    findings = [answer(check, host) for check in ("cgroup", "memory_limit", "cpu_limit")]

    assert [one.level for one in findings] == [Level.WARN] * 3
    assert all("above this cgroup namespace" in one.finding for one in findings)
    assert "memory_limit_bytes and cpu_limit_cores" in findings[0].advice


def test_a_hidden_meminfo_names_the_line_of_the_unit(container):
    """ProcSubset=pid."""
    (container / "proc/meminfo").unlink()
    (container / "proc/sys/net/core/somaxconn").unlink(missing_ok=True)
    host = at(container)

    assert "ProcSubset=pid" in answer("memory_limit", host).advice
    assert "ProcSubset=pid" in answer("somaxconn", host).advice


@pytest.mark.parametrize(
    ("asker", "uid", "may", "level"),
    [(0, 33, False, Level.WARN), (0, 33, True, Level.OK), (0, 0, False, Level.OK), (7, 7, False, Level.OK)],
)
def test_workers_of_another_user_need_a_capability(monkeypatch, asker, uid, may, level):
    """A root arbiter with Gunicorn's `user`: memory of its workers stays unread without CAP_SYS_PTRACE."""
    monkeypatch.setattr(process, "may_trace", lambda proc: may)
    monkeypatch.setattr(os, "geteuid", lambda: asker)
    settings = SYNC | {"uid": uid}
    host = replace(a_host(probe=a_probe(settings=settings)), root=Path("/"))
    finding = answer("smaps_rollup", host)

    assert (finding.level, "CAP_SYS_PTRACE" in finding.advice) == (level, level is Level.WARN)


def test_what_the_arbiter_of_root_may_read_is_not_known_to_others(monkeypatch):
    """The service starts as root with all capabilities, whoever asks."""
    monkeypatch.setattr(process, "may_trace", lambda proc: False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    host = replace(a_host(probe=a_probe(settings=SYNC | {"uid": 33})), root=Path("/"))

    assert "not known" in answer("smaps_rollup", host).finding
