"""Where this process's cgroups are: the hierarchy of each controller, and its levels from our own up to the mount.

The choice is made per controller, never per machine: on a hybrid host the `0::` line and the cgroup2 mount exist,
yet memory and cpu live in v1.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gunicorn_autotune.model.readings import Missing, Reading
from gunicorn_autotune.sensors.files import read_text
from gunicorn_autotune.sensors.mounts import Mount, read_mounts


@dataclass(frozen=True, slots=True)
class OutOfSight(Missing):
    """We are in a cgroup whose limits are not shown here: the machine's may be far above them."""


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """The directories that may limit us under one mount."""

    version: int
    """1 or 2: which file names to look for."""
    levels: tuple[str, ...]
    """Own cgroup first, mount point last. Never empty."""

    @property
    def own(self) -> str:
        """The directory of our own cgroup."""
        return self.levels[0]


@dataclass(frozen=True, slots=True)
class Cgroups:
    """The map made by `find_cgroup`: places only, no limits, since those change while we run."""

    root: str
    """Prefix of every path, without a trailing slash; empty for the real host."""
    membership: str
    """Text of /proc/self/cgroup the map was made from; when it changes we were moved and the map is stale."""
    memory: Reading[Hierarchy]
    cpu: Reading[Hierarchy]
    cpuset: Reading[Hierarchy]
    pids: Reading[Hierarchy]
    unified: Reading[Hierarchy]
    """The cgroup2 mount, with or without controllers: PSI lives only there."""


def find_cgroup(root: Path = Path("/")) -> Cgroups:
    """Look up the map once; parts that cannot be found are Missing inside it. Costs about 100 us."""
    prefix = str(root).rstrip("/")
    membership = read_text(f"{prefix}/proc/self/cgroup")
    mounts = read_mounts(f"{prefix}/proc/self/mountinfo")
    if isinstance(membership, Missing) or isinstance(mounts, Missing):
        lost = membership if isinstance(membership, Missing) else mounts
        assert isinstance(lost, Missing)
        text = "" if isinstance(membership, Missing) else membership
        return Cgroups(prefix, text, memory=lost, cpu=lost, cpuset=lost, pids=lost, unified=lost)
    paths = parse_membership(membership)
    memory, cpu, cpuset, pids, unified = (
        _hierarchy(prefix, name, paths, mounts) for name in ("memory", "cpu", "cpuset", "pids", "")
    )
    return Cgroups(prefix, membership, memory=memory, cpu=cpu, cpuset=cpuset, pids=pids, unified=unified)


def moved(cgroups: Cgroups) -> bool:
    """Whether this process was put into another cgroup since `find_cgroup`."""
    membership = read_text(f"{cgroups.root}/proc/self/cgroup")
    return not isinstance(membership, Missing) and membership != cgroups.membership


def parse_membership(text: str) -> dict[str, str]:
    """Controller to path from /proc/self/cgroup; the empty name is v2 (`0::/path`). Other lines are left out."""
    paths = {}
    for line in text.splitlines():
        # At most two cuts: a path may hold colons.
        parts = line.split(":", 2)
        if len(parts) == 3 and parts[2].startswith("/"):
            path = parts[2].removesuffix(" (deleted)")
            paths.update(dict.fromkeys(parts[1].split(","), path))
    return paths


def _hierarchy(prefix: str, controller: str, paths: dict[str, str], mounts: Iterable[Mount]) -> Reading[Hierarchy]:
    if controller and controller in paths:
        mounted = [mount for mount in mounts if mount.filesystem == "cgroup" and controller in mount.options]
        return _choose(prefix, 1, paths[controller], mounted, f"no cgroup v1 mount for {controller}")
    if "" in paths:
        mounted = [mount for mount in mounts if mount.filesystem == "cgroup2"]
        return _choose(prefix, 2, paths[""], mounted, "no cgroup2 mount")
    return Missing(f"{prefix}/proc/self/cgroup: no line for {controller or 'cgroup v2'}")


def _choose(prefix: str, version: int, path: str, mounts: list[Mount], lack: str) -> Reading[Hierarchy]:
    if not mounts:
        return Missing(f"{prefix}/proc/self/mountinfo: {lack}")
    # Of several at one point the last is what a path shows.
    seen = {mount.point: mount for mount in mounts}.values()
    inside = [mount for mount in seen if ".." not in mount.root.split("/")]
    if not inside:
        # The host's /sys/fs/cgroup, bound into a container: its root is the machine's, `/` means our own cgroup.
        why = f"{mounts[0].root}, which is above this cgroup namespace: it does not tell which cgroup is ours"
        return OutOfSight(f"{prefix}{mounts[0].point} shows {why}")
    if ".." in path.split("/"):
        return OutOfSight(f"{prefix}/proc/self/cgroup: {path} is outside this cgroup namespace")
    for mount in inside:
        levels = levels_between(prefix + mount.point, relative_path(path, mount.root))
        if len(levels) > 1 or path == mount.root:
            return Hierarchy(version, levels)
    return Hierarchy(version, (prefix + inside[0].point,))


def hides_ancestors(hierarchy: Hierarchy) -> bool:
    """Whether the highest level in view is not the root of all cgroups: limits above it are out of sight.

    So it is in a container with a cgroup namespace of its own, whose pod or slice may be limited. Only the real root
    lacks cgroup.type (v2), and only the real root has release_agent (v1).
    """
    top = hierarchy.levels[-1]
    if hierarchy.version == 1:
        return not os.path.exists(f"{top}/release_agent")  # noqa: PTH110
    return os.path.exists(f"{top}/cgroup.type") or os.path.exists(f"{top}/memory.max")  # noqa: PTH110


def relative_path(path: str, mount_root: str) -> str | None:
    """`path` below `mount_root` (`""` when they are the same), or None when the mount does not show it.

    A container's v1 mount may show only its own subtree.
    """
    if ".." in path.split("/"):
        return None
    if mount_root == "/":
        return path.rstrip("/")
    return path[len(mount_root) :] if path == mount_root or path.startswith(f"{mount_root}/") else None


def levels_between(mount_point: str, relative: str | None) -> tuple[str, ...]:
    """Directories from `mount_point + relative` up to `mount_point`; the mount point alone when ours is not there."""
    top = mount_point.rstrip("/")
    # Not Path.is_dir(): before Python 3.14 that raises PermissionError.
    if relative is None or not os.path.isdir(top + relative):  # noqa: PTH112
        return (top,)
    levels = []
    while relative:
        levels.append(top + relative)
        relative = relative.rpartition("/")[0]
    return (*levels, top)
