"""Numbers for processes that the app forks (multiprocessing, a pool, os.fork, Gunicorn's dirty workers).

Each needs metric files of its own, and a server that forks one for every request must not end with a file for each. So
a process takes the lowest number whose last holder is dead and goes on with its files, as a worker does with those of
its slot. Who holds which number stands in one small file of pids in the same folder.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
from pathlib import Path

PID = struct.Struct("<q")
LOCK_SECONDS = 0.2
"""The lock is held for some 50 us. A holder that was stopped just then is not waited for."""
RETRY_SECONDS = 0.002


def registry(arbiter: int) -> str:
    """Name of the file of pids; the client only looks at *.db."""
    return f"{arbiter}children"


def claim(directory: str, arbiter: int) -> int | None:
    """A number that this process holds until it ends; None when none could be had."""
    try:
        fd = os.open(Path(directory) / registry(arbiter), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        return _lowest_free(fd) if _locked(fd) else None
    except OSError:
        return None
    finally:
        os.close(fd)


def _locked(fd: int) -> bool:
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(RETRY_SECONDS)
        else:
            return True


def _lowest_free(fd: int) -> int:
    pids = _pids(fd)
    number = next((at for at, pid in enumerate(pids) if pid == os.getpid() or not is_alive(pid)), len(pids))
    os.pwrite(fd, PID.pack(os.getpid()), number * PID.size)
    return number


def _pids(fd: int) -> list[int]:
    content = os.pread(fd, os.fstat(fd).st_size, 0)
    return [pid for (pid,) in PID.iter_unpack(content[: len(content) // PID.size * PID.size])]


def holders(directory: str, arbiter: int) -> set[int]:
    """The numbers that a living process holds."""
    try:
        fd = os.open(Path(directory) / registry(arbiter), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return set()
    try:
        return {number for number, pid in enumerate(_pids(fd)) if is_alive(pid)}
    except OSError:
        return set()
    finally:
        os.close(fd)


def is_alive(pid: int) -> bool:
    """Whether a process has this pid; one that we may not signal has it too."""
    if not 0 < pid < 1 << 31:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
