"""What /proc tells of the processes of a server: children, threads, open files, memory."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from tests.server import Server, wait_for

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def children(pid: int) -> list[int]:
    """Pids of the processes that `pid` started and that are not reaped yet, whichever thread of it did."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def exporter_pid(server: Server) -> int:
    """The process whose command line says that it is this arbiter's exporter; its first interpreter has ended."""
    return wait_for(lambda: exporters_of(server.process.pid) or None, "an exporter")[0]


def exporters_of(arbiter: int) -> list[int]:
    """Pids of the exporters of the arbiter with this pid that have not ended."""
    title, found = f"metrics exporter of {arbiter}'".encode(), []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdecimal() and title in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def threads(pid: int) -> int:
    """How many threads it has."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def open_files(pid: int) -> int:
    """How many file descriptors it has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def descriptors(pid: int) -> list[str]:
    """What its file descriptors lead to."""
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            found.append(str(entry.readlink()))
    return found


def resident_bytes(pid: int) -> int:
    """Its resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


def ended(pid: int) -> bool:
    """Whether it is gone, or a zombie that nobody has reaped yet."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
