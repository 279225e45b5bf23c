"""Shared memory without a name, of a size that nobody can change any more.

A process that maps memory dies of SIGBUS when somebody cuts the file beneath it, and every worker has a descriptor of
it, since `mmap.mmap` keeps a duplicate: one `os.ftruncate(fd, 0)` in the app would end the arbiter. A sealed memfd
refuses it (fcntl(2), F_SEAL_SHRINK): the app gets its own OSError, and nothing else happens.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import tempfile

NAME = "gunicorn-autotune"
MFD_CLOEXEC, MFD_ALLOW_SEALING = 1, 2


def create(size_bytes: int) -> int:
    """A descriptor of `size_bytes` of zeros, sealed where the system can."""
    fd = _memfd()
    if fd is None:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, size_bytes)
    with contextlib.suppress(AttributeError, OSError):
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return fd


def _memfd() -> int | None:
    """memfd_create(2) by way of os, or of the C library: a Python built against an old one lacks the first."""
    flags = MFD_CLOEXEC | MFD_ALLOW_SEALING
    with contextlib.suppress(AttributeError, OSError):
        return os.memfd_create(NAME, flags)
    with contextlib.suppress(AttributeError, OSError):
        fd = int(ctypes.CDLL(None).memfd_create(NAME.encode(), flags))
        return fd if fd >= 0 else None
    return None
