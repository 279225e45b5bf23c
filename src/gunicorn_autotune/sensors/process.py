"""One worker as /proc shows it: CPU, run-queue delay and RSS. Fields: proc(5), fs/proc/array.c, proc_pid_schedstat."""

from __future__ import annotations

import errno
import os
import resource
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, TypeVar

from gunicorn_autotune.model.readings import Missing, ProcessReading, Reading
from gunicorn_autotune.sensors.files import Absent, garbage, read_text

T = TypeVar("T")

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC


class Stat(NamedTuple):
    """The fields of /proc/PID/stat we use; CPU covers all threads, exited ones included."""

    cpu_seconds: float
    threads: int


class Schedstat(NamedTuple):
    """One thread's schedstat."""

    cpu_seconds: float
    run_delay_seconds: float
    slices: int


# The three parsers run for each worker in each tick: plain int() in a try, not a check of every word.


def parse_stat(text: str) -> Stat | None:
    """utime + stime (fields 14, 15) and num_threads (20); None for garbage."""
    # comm may hold spaces and parentheses, `(we) ird)`: the numbers begin after the last one.
    comm_end = text.rfind(")")
    fields = text[comm_end + 2 :].split(None, 18)
    try:
        cpu_seconds, threads = (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND, int(fields[17])
    except (ValueError, IndexError, OverflowError):
        return None
    return Stat(cpu_seconds, threads) if comm_end > 0 and cpu_seconds >= 0.0 and threads >= 0 else None


def parse_schedstat(text: str) -> Schedstat | None:
    """`<ns on cpu> <ns runnable but waiting> <timeslices>`; None for garbage."""
    try:
        cpu_ns, run_delay_ns, slices = map(int, text.split())
        parsed = Schedstat(cpu_ns / 1e9, run_delay_ns / 1e9, slices)
    except (ValueError, OverflowError):
        return None
    return parsed if cpu_ns >= 0 and run_delay_ns >= 0 and slices >= 0 else None


def parse_statm_rss_bytes(text: str) -> int | None:
    """Resident bytes, field 2. Not field 24 of stat: from Linux 6.16 only statm adds up the per-CPU counters."""
    try:
        pages = int(text.split(None, 2)[1])
    except (ValueError, IndexError):
        return None
    return pages * _PAGE_BYTES if pages >= 0 else None


class ProcessProbe:
    """Keeps a process's files open: 3 reads a tick, and a pid used again by a stranger can never be read by mistake."""

    __slots__ = ("__weakref__", "_directory", "_exited_delay_seconds", "_other_delays", "_schedstat", "_stat", "_statm")

    def __init__(self, directory: str, stat: int, statm: int, schedstat: int | Missing) -> None:
        self._directory = directory
        self._stat, self._statm, self._schedstat = stat, statm, schedstat
        self._other_delays: dict[str, float] = {}
        """Run delay in seconds by thread, the main thread left out."""
        self._exited_delay_seconds = 0.0
        _open_probes.add(self)

    def read(self, all_threads: bool = True) -> ProcessReading:
        """One reading; of a process that is gone all Missing and `threads` 0. Cumulative figures never go down.

        `all_threads=False` saves some 5 us a thread: CPU stays complete, while threads but the main one keep
        the run delay of the last full read.
        """
        stat = self._read(self._stat, "stat", parse_stat)
        if isinstance(stat, Missing):
            return ProcessReading(stat, stat, stat, threads=0)
        main = self._schedstat if isinstance(self._schedstat, Missing) else self._read_schedstat(self._schedstat)
        # schedstat is exact but the main thread's alone, stat is complete but counts in ticks of 10 ms:
        # each is a lower bound that never goes down, and so is the larger one.
        cpu_seconds = stat.cpu_seconds if isinstance(main, Missing) else max(main.cpu_seconds, stat.cpu_seconds)
        delay = self._run_delay_seconds(stat, main, all_threads)
        return ProcessReading(cpu_seconds, delay, self._rss_bytes(), stat.threads)

    def close(self) -> None:
        """Let go of the files; later reads are Missing. Calling it twice does no harm."""
        _close((self._stat, self._statm, self._schedstat))
        # Else the number, handed out again by the kernel, would let us read or close somebody else's file.
        self._stat = self._statm = self._schedstat = -1
        _open_probes.discard(self)

    def _run_delay_seconds(self, stat: Stat, main: Schedstat | Missing, all_threads: bool) -> Reading[float]:
        if isinstance(main, Missing):
            return main
        if main.slices == 0 and main.cpu_seconds == 0.0 and stat.cpu_seconds > 0.0:
            return Missing(f"{self._directory}/schedstat: all zero, this kernel keeps no scheduling statistics")
        if all_threads and (stat.threads > 1 or self._other_delays):
            others = self._read_other_threads()
            if isinstance(others, Missing):
                return others
            self._retire(others)
        return main.run_delay_seconds + self._exited_delay_seconds + sum(self._other_delays.values())

    def _retire(self, delays: dict[str, float]) -> None:
        # A thread that exits takes its figure out of task/; one that got a used tid starts again below the old one.
        for tid, last in self._other_delays.items():
            if delays.get(tid, -1.0) < last:
                self._exited_delay_seconds += last
        self._other_delays = delays

    def _read_other_threads(self) -> dict[str, float] | Missing:
        main_tid = self._directory.rpartition("/")[2]
        delays = {}
        try:
            tids = os.listdir(f"{self._directory}/task")  # noqa: PTH208 (bare names, 5 us)
        except OSError as error:
            return Missing(f"{self._directory}/task: {error.strerror}")
        for tid in tids:
            if tid == main_tid:
                continue
            path = f"{self._directory}/task/{tid}/schedstat"
            text = read_text(path)
            thread = text if isinstance(text, Missing) else parse_schedstat(text) or garbage(path, text)
            if isinstance(thread, Schedstat):
                delays[tid] = thread.run_delay_seconds
            # A thread may exit between the listing and the read; any other trouble must not look like an exit.
            elif not isinstance(thread, Absent):
                return thread
        return delays

    def _read_schedstat(self, descriptor: int) -> Schedstat | Missing:
        return self._read(descriptor, "schedstat", parse_schedstat)

    def _rss_bytes(self) -> Reading[int]:
        rss_bytes = self._read(self._statm, "statm", parse_statm_rss_bytes)
        # Not a small worker but a zombie: its memory is gone, its row in the table is not.
        return rss_bytes or Missing(f"{self._directory}/statm: no memory mapped, the process has exited")

    def _read(self, descriptor: int, name: str, parse: Callable[[str], T | None]) -> T | Missing:
        try:
            text = os.pread(descriptor, 2048, 0).decode("latin-1")
        except OSError as error:
            return Missing(f"{self._directory}/{name}: {error.strerror}")
        parsed = parse(text)
        return garbage(f"{self._directory}/{name}", text) if parsed is None else parsed


_open_probes: weakref.WeakSet[ProcessProbe] = weakref.WeakSet()


def _close_inherited() -> None:
    # A forked worker would carry 3 descriptors for each sibling and count them against its own open-files limit.
    for probe in list(_open_probes):
        probe.close()


os.register_at_fork(after_in_child=_close_inherited)


def open_process(pid: int, proc: Path = Path("/proc")) -> ProcessProbe | Missing:
    """A probe on `pid`; Missing when there is no such process, no /proc, or too few descriptors are left.

    Half of the open-files limit stays free: the arbiter needs descriptors to start workers, and serving goes first.
    """
    directory = f"{proc}/{pid}"
    opened: list[int | Missing] = []
    for name in ("stat", "statm", "schedstat"):
        try:
            opened.append(_open_below_half(f"{directory}/{name}"))
        except FileNotFoundError as error:
            opened.append(Missing(f"{directory}/{name}: {error.strerror}"))
        except OSError as error:
            _close(opened)
            return Missing(f"{directory}/{name}: {error.strerror}")
    stat, statm, schedstat = opened
    # A kernel without CONFIG_SCHED_INFO has no schedstat; one without stat has no such process.
    if isinstance(stat, Missing) or isinstance(statm, Missing):
        _close(opened)
        return stat if isinstance(stat, Missing) else Missing(f"{directory}/statm: not there")
    return ProcessProbe(directory, stat, statm, schedstat)


def _close(descriptors: Iterable[int | Missing]) -> None:
    for descriptor in descriptors:
        if not isinstance(descriptor, Missing) and descriptor >= 0:
            os.close(descriptor)


def _open_below_half(path: str) -> int:
    descriptor = os.open(path, _OPEN_FLAGS)
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and descriptor >= limit // 2:
        os.close(descriptor)
        raise OSError(errno.EMFILE, f"half of the open-files limit ({limit}) is in use, raise LimitNOFILE", path)
    return descriptor
