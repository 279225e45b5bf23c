"""What a server gets of this host: cores and memory of its own, by real cgroups where they can be made. Linux."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.calibration.others import tree_seconds
from benchmarks.faults.group import MemoryGroup, memory_group, remove
from benchmarks.faults.options import NotRunError

V1_CPUSET, V1_CPUACCT = Path("/sys/fs/cgroup/cpuset"), Path("/sys/fs/cgroup/cpuacct")
JOIN = 'while [ "$1" != -- ]; do echo $$ > "$1" || exit 1; shift; done; shift; exec "$@"'
"""A shell puts itself into the groups, then becomes the server: so do all that it starts."""


@dataclass(frozen=True)
class Layout:
    """Who runs where: apart, where there is more than one core."""

    server_cores: tuple[int, ...]
    generator_cores: tuple[int, ...]
    groups: tuple[str, ...] = ()
    """Cgroup controllers that hold the server; affinity alone holds where there are none."""


def layout(cores: Sequence[int]) -> Layout:
    """The last core to the generator (and the proxy, the database and whoever looks on), the others to the server."""
    ordered = tuple(sorted(cores))
    return Layout(ordered[:-1] or ordered, ordered[-1:])


@dataclass(frozen=True)
class Groups:
    """The groups of one run; those that this host has not are None."""

    memory: MemoryGroup | None = None
    cpuset: Path | None = None
    cpuacct: Path | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Of the controllers that hold the server."""
        return tuple(name for name in ("memory", "cpuset", "cpuacct") if getattr(self, name))

    def joining(self, command: Sequence[str], cores: Sequence[int]) -> list[str]:
        """The command, to run in the groups and on these cores only."""
        folders = [self.memory.path if self.memory else None, self.cpuset, self.cpuacct]
        files = [str(folder / "cgroup.procs") for folder in dict.fromkeys(folders) if folder]
        pinned = ["taskset", "-c", ",".join(map(str, cores)), *command]
        return ["sh", "-c", JOIN, "sh", *files, "--", *pinned]

    def cpu_seconds(self, pid: int) -> float:
        """CPU time of the server so far, of processes that have ended too."""
        if self.cpuacct is not None:
            return int((self.cpuacct / "cpuacct.usage").read_text()) / 1e9
        if self.memory is not None and not self.memory.v1:
            words = dict(line.split() for line in (self.memory.path / "cpu.stat").read_text().splitlines())
            return int(words["usage_usec"]) / 1e6
        return tree_seconds(pid)


@contextmanager
def groups(memory_limit_bytes: int, cores: Sequence[int]) -> Iterator[Groups]:
    """Fresh groups, gone afterwards; without root or controllers there are none, and affinity alone holds."""
    with ExitStack() as stack:
        try:
            memory = stack.enter_context(memory_group(memory_limit_bytes))
        except NotRunError:
            memory = None
        cpuset = stack.enter_context(_v1(V1_CPUSET)) if memory else None
        if cpuset is not None:
            (cpuset / "cpuset.mems").write_text((V1_CPUSET / "cpuset.mems").read_text())
            (cpuset / "cpuset.cpus").write_text(",".join(map(str, cores)))
        yield Groups(memory, cpuset, stack.enter_context(_v1(V1_CPUACCT)) if memory else None)


def here() -> Layout:
    """On this host, with the groups that can be made now."""
    found = layout(sorted(os.sched_getaffinity(0)))
    with groups(1 << 30, found.server_cores) as held:
        return replace(found, groups=held.names)


@contextmanager
def _v1(root: Path) -> Iterator[Path | None]:
    path = root / f"autotune-contest-{os.getpid()}"
    try:
        path.mkdir()
    except OSError:
        yield None
        return
    try:
        yield path
    finally:
        remove(path)
