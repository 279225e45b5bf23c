"""One worker's own share of memory: PSS and USS. Kernel: Documentation/filesystems/proc.rst, smaps_rollup."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from gunicorn_autotune.model.readings import MemoryReading, Missing, Reading
from gunicorn_autotune.sensors.files import Absent, garbage, parse_count, read_text

NO_PTRACE = "the workers run as another user, and this process has no CAP_SYS_PTRACE"
_PROC = Path("/proc")
_PRIVATE = ("Private_Clean:", "Private_Dirty:", "Private_Hugetlb:")


def read_memory(pid: int, proc: Path = _PROC) -> Reading[MemoryReading]:
    """Bytes from smaps_rollup, which walks the page tables: 0.7 to 1.5 ms at 20 MB, about 16 ms a GB.

    Needs ptrace rights over the worker: a root arbiter in a container without CAP_SYS_PTRACE has none over workers
    that changed user, and this is Missing. Kernels before 4.14 have no rollup: psutil adds smaps up instead.
    """
    path = f"{proc}/{pid}/smaps_rollup"
    text = read_text(path)
    if isinstance(text, Absent) and proc == _PROC:
        return _read_with_psutil(pid, text)
    if isinstance(text, Missing):
        return Missing(f"{text.why}: {NO_PTRACE}") if text.why.endswith(os.strerror(errno.EACCES)) else text
    reading = parse_smaps_rollup(text)
    return garbage(path, text) if reading is None else reading


def parse_smaps_rollup(text: str) -> MemoryReading | None:
    """PSS, and USS = private clean + dirty + hugetlb, from lines such as `Pss:   452 kB`; None without a Pss line."""
    kibibytes = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and words[2] == "kB":
            kibibytes[words[0]] = parse_count(words[1])
    pss = kibibytes.get("Pss:")
    private = [kibibytes.get(name) for name in _PRIVATE]
    if pss is None or private[0] is None or private[1] is None:
        return None
    return MemoryReading(pss_bytes=pss * 1024, uss_bytes=sum(part or 0 for part in private) * 1024)


def _read_with_psutil(pid: int, absent: Missing) -> Reading[MemoryReading]:
    import psutil  # Here, not above: it takes 20 ms that no Linux after 4.14 needs.

    try:
        memory = psutil.Process(pid).memory_full_info()
    except (psutil.Error, OSError, ValueError) as error:
        return Missing(f"{absent.why}; psutil: {error}")
    # macOS tells USS but not PSS: half an answer would be summed up wrongly.
    if not hasattr(memory, "pss"):
        return Missing(f"{absent.why}; psutil: no PSS on this host")
    return MemoryReading(pss_bytes=memory.pss, uss_bytes=memory.uss)
