"""Whose unit doctor looks at, and how systemd is asked: every answer it may give, and none."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gunicorn_autotune.cli import doctor, unit
from gunicorn_autotune.cli.running import Running
from gunicorn_autotune.cli.unit import ask, unit_of, watched
from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.sensors.cgroup import find_cgroup
from gunicorn_autotune.sensors.mounts import Mount


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo LoadState=loaded; echo OOMPolicy=stop", {"LoadState": "loaded", "OOMPolicy": "stop"}),
        ("echo LoadState=not-found; echo OOMPolicy=", "systemctl: shop.service is not loaded here"),
        ("echo first >&2; echo 'no bus' >&2; exit 1", "systemctl: no bus"),
        ("exec sleep 60", "systemctl: no answer in 0.3 s"),
        (None, "systemctl: .*No such file.*"),
    ],
    ids=["loaded", "not-found", "no-bus", "silent", "absent"],
)
def test_systemctl_is_asked_and_never_waited_for(
    script: str | None, expected: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every way it may end; a host without it, and one whose systemd is stuck."""
    monkeypatch.setattr(unit, "ASK_SECONDS", 0.3 if script == "exec sleep 60" else 10)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}" if script else str(tmp_path))
    if script:
        (tmp_path / "systemctl").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "systemctl").chmod(0o755)
    found = ask("shop.service")

    assert re.fullmatch(expected, getattr(found, "why", "")) if isinstance(expected, str) else found == expected


@pytest.mark.skipif(shutil.which("systemctl") is None, reason="systemctl is not installed; .ci/fetch brings it")
def test_the_real_systemctl_says_why_it_does_not_tell() -> None:
    """A unit that no host has."""
    found = ask("no-such-unit-of-ours.service")

    assert isinstance(found, Missing)
    assert found.why.startswith("systemctl: ")


@pytest.mark.parametrize(
    ("membership", "expected"),
    [
        ("0::/system.slice/shop.service\n", ("shop.service", False)),
        ("0::/web.slice/web-a.slice/shop@2.service\n", ("shop@2.service", False)),
        ("0::/user.slice/user-1.slice/user@1.service/app.slice/shop.service\n", ("shop.service", True)),
        ("1:name=systemd:/system.slice/shop.service\n0::/\n", ("shop.service", False)),
        ("0::/user.slice/user-0.slice/session-4.scope\n", ("", False)),
        ("0::/user.slice/user-1.slice/user@1.service\n", ("", False)),
        ("0::/system.slice/docker-0123.scope\n", ("", False)),
        ("0::/system.slice/x y.service\n", ("", False)),
        ("0::/system.slice/--help.service\n", ("", False)),
        ("0::/\n", ("", False)),
        ("", ("", False)),
    ],
)
def test_the_unit_stands_in_the_cgroup(membership: str, expected: tuple[str, bool]) -> None:
    """v2, v1 and hybrid; sessions and containers are no service of the site."""
    assert unit_of(membership) == expected


def test_a_server_that_runs_is_looked_at_and_else_this_process() -> None:
    """A pid that is gone is not guessed about, nor one that is a stranger's here: a container tells its own numbers."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    cgroups = find_cgroup()
    with subprocess.Popen(["sh", "-c", "read line", "gunicorn"], stdin=subprocess.PIPE) as server:
        told = [watched(cgroups, pid).who for pid in (server.pid, None, gone.pid, 1)]
        server.stdin.close()

    assert told == [f"arbiter {server.pid}", "this process", "this process", "this process"]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([Running(1, bind=("127.0.0.1:8000",)), Running(2, bind=("127.0.0.1:9",))], 1),
        ([Running(2, bind=("127.0.0.1:9",))], 2),
        ([Running(1, bind=("127.0.0.1:9",)), Running(2, bind=("127.0.0.1:9",))], None),
        ([], None),
    ],
    ids=["same-bind", "the-only-one", "several", "none"],
)
def test_the_server_of_these_settings_is_meant(
    found: list[Running], expected: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its address, or as the only one; of several none is guessed."""
    monkeypatch.setattr(doctor, "running", lambda _: found)

    assert doctor.serving(["127.0.0.1:8000"]) == expected


def test_a_servers_levels_are_read_where_cgroup2_is_mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its path says nothing on another filesystem."""
    (tmp_path / "a.slice/b.service").mkdir(parents=True)
    mounts = [Mount("/", "/mnt", "tmpfs", ())]
    monkeypatch.setattr(unit, "read_mounts", lambda path: tuple(mounts))
    hidden = unit._levels("0::/a.slice/b.service\n")
    mounts.append(Mount("/", str(tmp_path), "cgroup2", ()))
    levels = unit._levels("0::/a.slice/b.service\n")

    assert isinstance(hidden, Missing)
    assert levels[0] == f"{tmp_path}/a.slice/b.service"
