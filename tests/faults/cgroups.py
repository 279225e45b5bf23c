"""Real cgroups for tests: an own group of one controller, v1 or v2, that a server joins and that is removed again."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.server import wait_for

MOUNT = Path("/sys/fs/cgroup")
PERIOD_US = 100_000
MIB = 1 << 20
SETTLED_LOOKS = 20


@dataclass(frozen=True)
class Group:
    """A group of one controller."""

    path: Path
    version: int

    @property
    def procs(self) -> Path:
        """Who is in it: writing a pid moves that process here."""
        return self.path / "cgroup.procs"

    @property
    def join(self) -> str:
        """Text for a gunicorn.conf.py: the arbiter, and so all that it forks later, enters this group."""
        return f"import os\nopen({str(self.procs)!r}, 'w').write(str(os.getpid()))\n"

    @property
    def oom_events(self) -> Path:
        """The file with the count of processes that the kernel has killed in it for want of memory."""
        return self.path / ("memory.oom_control" if self.version == 1 else "memory.events")

    @property
    def oom_kills(self) -> int:
        """That count."""
        lines = self.oom_events.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))

    def limit_memory(self, limit_bytes: int) -> None:
        """No more than this; what does not fit is not swapped out either."""
        if self.version == 1:
            (self.path / "memory.limit_in_bytes").write_text(str(limit_bytes))
            return
        (self.path / "memory.max").write_text(str(limit_bytes))
        swap = self.path / "memory.swap.max"
        if swap.exists():
            swap.write_text("0")

    def limit_cpu(self, cores: float | None) -> None:
        """That many cores, None for all."""
        quota = None if cores is None else int(cores * PERIOD_US)
        if self.version == 1:
            (self.path / "cpu.cfs_quota_us").write_text("-1" if quota is None else str(quota))
        else:
            (self.path / "cpu.max").write_text(f"{'max' if quota is None else quota} {PERIOD_US}")

    def limit_pids(self, more: int | None) -> None:
        """As many tasks as there are now, threads included, and `more`, or fewer where that is negative; None: any."""
        limit = "max" if more is None else self._settled_pids() + more
        (self.path / "pids.max").write_text(str(limit))

    def _settled_pids(self) -> int:
        """Tasks as they mostly are: a thread that answers a request, or is just being replaced, must not count."""
        seen: Counter[int] = Counter()
        while max(seen.values(), default=0) < SETTLED_LOOKS:
            seen[int((self.path / "pids.current").read_text())] += 1
            time.sleep(0.01)
        return seen.most_common(1)[0][0]


@contextmanager
def own_group(controller: str) -> Iterator[Group]:
    """A new, empty group without a limit, removed when the last process has left it.

    The test is skipped where we may not make one; for root with CI=true and the controller there that is a failure.
    """
    version = _version(controller)
    if version is None:
        pytest.skip(f"no cgroup controller {controller} on this machine")
    try:
        group = _make(controller, version)
    except OSError as error:
        if os.environ.get("CI") == "true" and os.geteuid() == 0:
            raise
        pytest.skip(f"cannot make a {controller} cgroup: {error}")
    try:
        yield group
    finally:
        wait_for(lambda: not group.procs.read_text(), "the cgroup to be empty")
        wait_for(lambda: group.path.rmdir() is None, "the cgroup to be removed")


def _version(controller: str) -> int | None:
    """Which cgroup has this controller here."""
    if (MOUNT / controller / "cgroup.procs").exists():
        return 1
    offered = MOUNT / "cgroup.controllers"
    return 2 if offered.exists() and controller in offered.read_text().split() else None


def _make(controller: str, version: int) -> Group:
    top = MOUNT / controller if version == 1 else MOUNT
    if version == 2 and controller not in (top / "cgroup.subtree_control").read_text().split():
        (top / "cgroup.subtree_control").write_text(f"+{controller}")
    path = top / f"autotune-{controller}-{os.getpid()}"
    path.mkdir()
    return Group(path, version)
