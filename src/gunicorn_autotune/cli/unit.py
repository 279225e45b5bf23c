"""The systemd unit and the memory cgroup of whom `doctor` looks at: the server that runs, else this process itself.

A shell has a cgroup of its own, so what systemd will do to a service is asked for the service.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from gunicorn_autotune.model.readings import Missing, Reading
from gunicorn_autotune.sensors.files import read_text
from gunicorn_autotune.sensors.hierarchy import Cgroups, levels_between, parse_membership, relative_path
from gunicorn_autotune.sensors.mounts import read_mounts

ASK_SECONDS = 3
PROPERTIES = ("LoadState", "OOMPolicy")
UNIT = re.compile(r"[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*\.service")
"""Not one that systemctl would take for an option."""


@dataclass(frozen=True, slots=True)
class Watched:
    """Whose cgroup and unit are looked at."""

    who: str
    """`this process`, or `arbiter 812` for a server that runs."""
    levels: Reading[tuple[str, ...]]
    """Directories of the memory cgroup, own first; empty under cgroup v1, which knows nothing of what is asked here."""
    unit: str = ""
    """`shop.service`; empty outside of a service."""
    user: bool = False
    """Whether the unit belongs to a user's own systemd."""


def unit_of(membership: str) -> tuple[str, bool]:
    """Name of the service that a text of /proc/PID/cgroup names, and whether it is a user's; empty for none.

    v2 or systemd's own v1 hierarchy. A session, a container and a login's systemd itself are no service of the site.
    """
    paths = parse_membership(membership)
    words = [word for word in paths.get("name=systemd", paths.get("", "")).split("/") if word]
    if not words or not UNIT.fullmatch(words[-1]) or words[-1].startswith("user@"):
        return "", False
    return words[-1], any(word.startswith("user@") for word in words[:-1])


def watched(cgroups: Cgroups, pid: int | None) -> Watched:
    """The arbiter `pid` of this host, or this process where it is None or cannot be looked at.

    A server in a container on the host's network tells the pid that it has in there: here it is somebody else's.
    """
    membership = Missing("no server") if pid is None or not _is_gunicorn(pid) else read_text(f"/proc/{pid}/cgroup")
    if isinstance(membership, Missing):
        return _told("this process", cgroups.membership, _own_levels(cgroups))
    return _told(f"arbiter {pid}", membership, _levels(membership))


def _is_gunicorn(pid: int) -> bool:
    command = read_text(f"/proc/{pid}/cmdline")
    return not isinstance(command, Missing) and "gunicorn" in command


def _told(who: str, membership: str, levels: Reading[tuple[str, ...]]) -> Watched:
    return Watched(who, levels, *unit_of(membership))


def _own_levels(cgroups: Cgroups) -> Reading[tuple[str, ...]]:
    if isinstance(cgroups.memory, Missing):
        return cgroups.memory
    return cgroups.memory.levels if cgroups.memory.version == 2 else ()


def _levels(membership: str) -> Reading[tuple[str, ...]]:
    paths = parse_membership(membership)
    mounts = read_mounts("/proc/self/mountinfo")
    if "memory" in paths:
        return ()
    if isinstance(mounts, Missing) or "" not in paths:
        return mounts if isinstance(mounts, Missing) else Missing("no line for cgroup v2")
    for mount in mounts:
        if mount.filesystem == "cgroup2" and (below := relative_path(paths[""], mount.root)) is not None:
            return levels_between(mount.point, below)
    return Missing("its cgroup is not shown here")


def ask(unit: str, *, user: bool = False) -> Reading[dict[str, str]]:
    """PROPERTIES of a unit from systemctl, which needs no privilege; Missing with the reason where it does not tell."""
    words = ["systemctl", *(["--user"] if user else []), "show", *(f"--property={name}" for name in PROPERTIES), unit]
    try:
        ended = subprocess.run(
            words, capture_output=True, timeout=ASK_SECONDS, env=os.environ | {"LC_ALL": "C"}, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError) as error:
        why = f"no answer in {ASK_SECONDS} s" if isinstance(error, subprocess.TimeoutExpired) else str(error)
        return Missing(f"systemctl: {why}")
    lines = ended.stdout.decode("utf-8", "replace").splitlines()
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    if ended.returncode or found.get("LoadState") != "loaded":
        said = ended.stderr.decode("utf-8", "replace").strip().splitlines()
        return Missing(f"systemctl: {said[-1] if said else f'{unit} is not loaded here'}")
    return found


def private_tmp(proc: Path, folder: Path) -> bool:
    """Whether `folder` lies in a /tmp that systemd gave this service alone (PrivateTmp=)."""
    mounts = read_mounts(f"{proc}/self/mountinfo")
    points = [] if isinstance(mounts, Missing) else [one for one in mounts if folder.is_relative_to(one.point)]
    deepest = max(points, key=lambda one: len(one.point), default=None)
    return deepest is not None and "/systemd-private-" in deepest.root
