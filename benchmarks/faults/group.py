"""A memory cgroup of our own, v1 or v2: made, read, and removed again. Linux, root."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.options import NotRunError

V1, V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
EMPTY_SECONDS = 10.0


@dataclass(frozen=True)
class MemoryGroup:
    """Where it is, and which files it has."""

    path: Path
    v1: bool

    def working_set_bytes(self) -> int | None:
        """What the kernel would have to kill for: the use without the file pages it can drop at once."""
        inactive = self._figure("memory.stat", "total_inactive_file" if self.v1 else "inactive_file")
        used = self._number("memory.usage_in_bytes" if self.v1 else "memory.current")
        return None if used is None else max(0, used - (inactive or 0))

    def peak_bytes(self) -> int | None:
        """The most it has used, file pages included; None where the kernel does not keep it."""
        return self._number("memory.max_usage_in_bytes" if self.v1 else "memory.peak")

    def oom_kills(self) -> int | None:
        """Processes that the kernel killed in it."""
        return self._figure("memory.oom_control" if self.v1 else "memory.events", "oom_kill")

    def _number(self, name: str) -> int | None:
        try:
            return int((self.path / name).read_text())
        except (OSError, ValueError):
            return None

    def _figure(self, name: str, key: str) -> int | None:
        try:
            found = re.search(rf"^{key} (\d+)$", (self.path / name).read_text(), re.MULTILINE)
        except OSError:
            return None
        return int(found[1]) if found else None


@contextmanager
def memory_group(limit_bytes: int, v1: Path = V1, v2: Path = V2) -> Iterator[MemoryGroup]:
    """An empty group with that limit; NotRunError where this host lets us make none."""
    is_v1 = v1.is_dir()
    group = MemoryGroup((v1 if is_v1 else v2) / f"autotune-faults-{os.getpid()}", is_v1)
    try:
        group.path.mkdir()
        (group.path / ("memory.limit_in_bytes" if is_v1 else "memory.max")).write_text(str(limit_bytes))
    except OSError as error:
        if group.path.is_dir():
            group.path.rmdir()
        why = "needs root and a memory controller"
        raise NotRunError(f"no memory cgroup at {group.path.parent}: {error.strerror}; {why}") from None
    try:
        yield group
    finally:
        remove(group.path)


def remove(path: Path) -> None:
    """Once its last process has gone; OSError when one does not go."""
    deadline = time.monotonic() + EMPTY_SECONDS
    while (path / "cgroup.procs").read_text().strip() and time.monotonic() < deadline:
        time.sleep(0.05)
    path.rmdir()


def joining(group: MemoryGroup | None) -> list[str]:
    """Lines of gunicorn.conf.py that put the arbiter, and with it all that it starts, into the group."""
    if group is None:
        return []
    return [f"open({str(group.path / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))"]
