"""Limits that can be cut while the server runs: cgroups of our own, v1 or v2, and the arbiter's open files."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.group import MemoryGroup, remove
from benchmarks.faults.options import NotRunError

MOUNT = Path("/sys/fs/cgroup")
PERIOD_US = 100_000
CONTROLLERS = ("memory", "cpu", "pids")


@dataclass(frozen=True)
class Limits:
    """The group of each controller that this host lets us make; on v2 all are the same folder."""

    groups: dict[str, Path]
    v1: bool

    @property
    def joining(self) -> list[str]:
        """Lines of gunicorn.conf.py: the arbiter enters every group; not again at a reload, which is not the start."""
        return [
            f"open({str(path / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))"
            for path in dict.fromkeys(self.groups.values())
        ]

    @property
    def memory(self) -> MemoryGroup | None:
        """To read."""
        return MemoryGroup(self.groups["memory"], self.v1) if "memory" in self.groups else None

    def cut_memory(self, limit_bytes: int | None) -> None:
        """None: no limit."""
        name, none = ("memory.limit_in_bytes", "-1") if self.v1 else ("memory.max", "max")
        (self.groups["memory"] / name).write_text(none if limit_bytes is None else str(limit_bytes))

    def cut_cpu(self, cores: float | None) -> None:
        """None: all."""
        quota = None if cores is None else int(cores * PERIOD_US)
        if self.v1:
            (self.groups["cpu"] / "cpu.cfs_quota_us").write_text("-1" if quota is None else str(quota))
        else:
            (self.groups["cpu"] / "cpu.max").write_text(f"{'max' if quota is None else quota} {PERIOD_US}")

    def cut_pids(self, more: int | None) -> int | None:
        """Tasks as there are now, threads included, and `more`; None: any number. The limit."""
        folder = self.groups["pids"]
        limit = None if more is None else int((folder / "pids.current").read_text()) + more
        (folder / "pids.max").write_text("max" if limit is None else str(limit))
        return limit


@contextmanager
def limits() -> Iterator[Limits]:
    """Whatever groups can be made here, removed again; none at all where we may make none."""
    v1 = (MOUNT / "memory" / "cgroup.procs").exists()
    made: dict[str, Path] = {}
    for controller in CONTROLLERS:
        with suppress(OSError):
            made[controller] = _made(controller, v1)
    try:
        yield Limits(made, v1)
    finally:
        for path in dict.fromkeys(made.values()):
            with suppress(OSError):
                remove(path)


def _made(controller: str, v1: bool) -> Path:
    top = MOUNT / controller if v1 else MOUNT
    if not v1:
        (top / "cgroup.subtree_control").write_text(f"+{controller}")
    elif not (top / "cgroup.procs").exists():
        raise OSError("no such controller")
    path = top / f"autotune-chaos-{os.getpid()}"
    path.mkdir(exist_ok=True)
    return path


def cut_files(pid: int, room: int) -> tuple[int, int]:
    """So many more open files than the process has; the limits there were, for `restore_files`."""
    if not hasattr(resource, "prlimit"):
        raise NotRunError("limits of open files need Linux")
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")) + room, before[1]))  # noqa: PTH208
    return before


def restore_files(pid: int, before: tuple[int, int]) -> None:
    """As it was."""
    with suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
