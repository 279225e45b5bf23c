"""Sensors that hardening closes: without AF_NETLINK, and without CAP_SYS_PTRACE over workers of another user."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from tests.server import serving

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root has workers of another user"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the filter knows this machine's system calls alone"),
]
HARDENED = """
import ctypes, socket, struct

libc = ctypes.CDLL(None, use_errno=True)

def forbid_netlink():
    "What RestrictAddressFamilies= does: socket(AF_NETLINK) answers EAFNOSUPPORT (97)."
    load, equal, answer = 0x20, 0x15, 0x06
    program = [(load, 0, 0, 0), (equal, 0, 3, 41), (load, 0, 0, 16), (equal, 0, 1, socket.AF_NETLINK),
               (answer, 0, 0, 0x50000 | 97), (answer, 0, 0, 0x7FFF0000)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *one) for one in program))
    head = ctypes.create_string_buffer(struct.pack("=HxxxxxxQ", len(program), ctypes.addressof(code)))
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, head, 0, 0) == 0, ctypes.get_errno()

def drop_ptrace():
    "What CapabilityBoundingSet= without CAP_SYS_PTRACE does; newer kernels let CAP_PERFMON and CAP_SYS_ADMIN read too."
    header = struct.pack("=Ii", 0x20080522, 0)
    data = ctypes.create_string_buffer(24)
    assert libc.capget(header, data) == 0
    words = list(struct.unpack("=6I", data.raw))
    for low, high in ((0, 3), (1, 4)):
        words[low] &= ~(1 << 19 | 1 << 21)
        words[high] &= ~(1 << 38 - 32)
    assert libc.capset(header, struct.pack("=6I", *words)) == 0, ctypes.get_errno()

forbid_netlink()
drop_ptrace()
user, group = 65534, 65534
"""


def test_each_reason_is_in_the_status_and_once_in_the_log_and_the_server_serves(tmp_path: Path) -> None:
    """The backlog of a UNIX socket and the USS of workers; what cures it is in the reason."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    with serving(tmp_path, HARDENED, unix=True) as server:
        server.wait_for_log("readings are unavailable.*USS of workers.*CAP_SYS_PTRACE")
        server.wait_for_log("readings are unavailable.*backlog of unix:.*RestrictAddressFamilies=")
        status = server.status()
        told = [str(status["workers"][0]["uss_bytes"]), str(status["listeners"][0]["backlog"])]
        answered = server.get("/")[0]
        lines = server.log.count("readings are unavailable")

    assert (200, 2) == (answered, lines)
    assert ["CAP_SYS_PTRACE" in told[0], "AF_NETLINK" in told[1]] == [True, True]
