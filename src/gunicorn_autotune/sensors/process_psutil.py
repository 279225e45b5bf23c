"""One worker where /proc cannot be kept open (macOS, or too few descriptors): same verbs as process.py, slower."""

from __future__ import annotations

import psutil

from gunicorn_autotune.model.readings import Missing, ProcessReading

_NO_RUN_DELAY = Missing("psutil: run-queue delay is told by Linux's schedstat only")


class PsutilProbe:
    """Holds no descriptor; a pid used again is told apart by its start time."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process

    def read(self, all_threads: bool = True) -> ProcessReading:
        """Same shape as ProcessProbe.read; `run_delay_seconds` is always Missing and `all_threads` changes nothing."""
        try:
            if not self._process.is_running():
                raise psutil.NoSuchProcess(self._process.pid)
            with self._process.oneshot():
                cpu = self._process.cpu_times()
                rss_bytes = self._process.memory_info().rss
                threads = self._process.num_threads()
        except (psutil.Error, OSError) as error:
            gone = Missing(f"psutil: pid {self._process.pid}: {error}")
            return ProcessReading(gone, gone, gone, threads=0)
        resident = rss_bytes or Missing(f"psutil: pid {self._process.pid}: no memory mapped, the process has exited")
        return ProcessReading(cpu.user + cpu.system, _NO_RUN_DELAY, resident, threads)

    def close(self) -> None:
        """Nothing is held; here so that both probes have the same verbs."""


def open_process(pid: int) -> PsutilProbe | Missing:
    """A probe on `pid`; Missing when there is no such process."""
    try:
        return PsutilProbe(psutil.Process(pid))
    except (psutil.Error, OSError, ValueError) as error:
        return Missing(f"psutil: pid {pid}: {error}")
