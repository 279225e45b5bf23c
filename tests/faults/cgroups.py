"""A pids cgroup of a test's own, v1 or v2."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server import wait_for

V1 = Path("/sys/fs/cgroup/pids")
V2 = Path("/sys/fs/cgroup")
JOIN = "import os, pathlib\npathlib.Path({procs!r}).write_text(str(os.getpid()))\n"
"""For gunicorn.conf.py: the arbiter, and so all its children, run in the group."""


class PidsGroup:
    """Limits how many processes and threads there may be; a fork beyond that fails with EAGAIN."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def config(self) -> str:
        """What makes a server join."""
        return JOIN.format(procs=str(self.folder / "cgroup.procs"))

    @property
    def used(self) -> int:
        """Processes and threads in it now."""
        return int((self.folder / "pids.current").read_text())

    def allow(self, limit: int | str) -> None:
        """At most `limit`, or "max"; less than are there is allowed too."""
        (self.folder / "pids.max").write_text(str(limit))


def _parent() -> Path | None:
    """Where a pids controller is mounted, None when this host has none."""
    if (V1 / "cgroup.procs").exists():
        return V1
    controllers = V2 / "cgroup.subtree_control"
    return V2 if controllers.exists() and "pids" in controllers.read_text().split() else None


@contextmanager
def pids_group() -> Iterator[PidsGroup]:
    """A new group, removed afterwards; skips where there can be none, but fails in CI when the controller is there."""
    parent = _parent()
    if parent is None:
        pytest.skip("no pids controller is mounted (cgroup v1 or v2)")
    folder = parent / f"autotune-faults-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"cannot make a pids cgroup: {error}")
    try:
        yield PidsGroup(folder)
        wait_for(lambda: not (folder / "cgroup.procs").read_text(), "the cgroup to be empty")
    finally:
        folder.rmdir()
