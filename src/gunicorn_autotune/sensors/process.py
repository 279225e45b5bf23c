"""One worker as /proc shows it: CPU, run-queue delay and RSS. Fields: proc(5), fs/proc/array.c, proc_pid_schedstat."""

from __future__ import annotations

import os
import re
import resource
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from gunicorn_autotune.model.readings import Missing, ProcessReading, Reading
from gunicorn_autotune.sensors.files import Absent, garbage, read_text

T = TypeVar("T")

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC
_NO_FILE = -1


# The three parsers run for each worker in each tick, where every 0.1 us counts 128 times: hence bytes as read,
# plain int() in a try, and bare tuples.


def parse_stat(content: bytes) -> tuple[float, int] | None:
    """CPU seconds of all threads, exited ones too (utime + stime, fields 14 and 15), and num_threads (20)."""
    # comm may hold spaces and parentheses, `(we) ird)`: the numbers begin after the last one.
    fields = content[content.rfind(b")") + 2 :].split(b" ", 18)
    try:
        cpu_ticks, threads = int(fields[11]) + int(fields[12]), int(fields[17])
        return (cpu_ticks / _TICKS_PER_SECOND, threads) if cpu_ticks >= 0 and threads >= 0 else None
    except (ValueError, IndexError, OverflowError):
        return None


def parse_schedstat(content: bytes) -> tuple[float, float] | None:
    """One thread's seconds on a CPU and seconds runnable but waiting, from `<ns> <ns> <timeslices>`."""
    try:
        cpu_ns, run_delay_ns, _ = content.split()
        seconds = int(cpu_ns) / 1e9, int(run_delay_ns) / 1e9
    except (ValueError, OverflowError):
        return None
    return seconds if seconds[0] >= 0.0 and seconds[1] >= 0.0 else None


def parse_statm_rss_bytes(content: bytes) -> int | None:
    """Resident bytes, field 2. Not field 24 of stat: from Linux 6.16 only statm adds up the per-CPU counters."""
    try:
        pages = int(content.split(b" ", 2)[1])
    except (ValueError, IndexError):
        return None
    return pages * _PAGE_BYTES if pages >= 0 else None


class ProcessProbe:
    """Keeps a process's files open: 3 reads a tick, and a pid used again by a stranger can never be read by mistake."""

    def __init__(self, directory: str, stat: int, statm: int, schedstat: int) -> None:
        self._directory = directory
        self._stat, self._statm, self._schedstat = stat, statm, schedstat
        self._keeps = True
        self._other_delays: dict[str, float] = {}
        """Run delay in seconds by thread, the main thread left out."""
        self._exited_delay_seconds = 0.0
        self._delay_seconds = 0.0
        _open_probes.add(self)

    def read(self, all_threads: bool = True) -> ProcessReading:
        """One reading; of a process that is gone all Missing and `threads` 0. Cumulative figures never go down.

        `all_threads=False` saves some 5 us a thread: CPU stays complete, while threads but the main one keep
        the run delay of the last full read.
        """
        if self._keeps:
            return self._read_all(all_threads)
        opened = _open_files(self._directory)
        if isinstance(opened, Missing):
            return ProcessReading(opened, opened, opened, 0)
        self._stat, self._statm, self._schedstat = opened
        try:
            return self._read_all(all_threads)
        finally:
            self._close_files()

    def keep_none(self) -> None:
        """Descriptors are scarce: from now on the files are open during a read only.

        The pid of a child that its parent has not waited for is nobody else's meanwhile.
        """
        self._keeps = False
        self._close_files()

    def _read_all(self, all_threads: bool) -> ProcessReading:
        stat = self._read(self._stat, "stat", parse_stat)
        if isinstance(stat, Missing):
            return ProcessReading(stat, stat, stat, 0)
        cpu_seconds, threads = stat
        main = self._read(self._schedstat, "schedstat", parse_schedstat)
        delay: Reading[float]
        if isinstance(main, Missing):
            delay = main
        else:
            delay = self._run_delay_seconds(main, stat, all_threads)
            # schedstat is exact but the main thread's alone, stat is complete but counts in ticks of 10 ms:
            # each is a lower bound that never goes down, and so is the larger one.
            cpu_seconds = max(main[0], cpu_seconds)
        rss_bytes = self._read(self._statm, "statm", parse_statm_rss_bytes)
        # 0 is not a small worker but a zombie: its memory is gone, its row in the table is not.
        rss_bytes = rss_bytes or Missing(f"{self._directory}/statm: no memory mapped, the process has exited")
        return ProcessReading(cpu_seconds, delay, rss_bytes, threads)

    def close(self) -> None:
        """Let go of the files; later reads are Missing. Calling it twice does no harm."""
        self._keeps = True
        self._close_files()
        _open_probes.discard(self)

    def _close_files(self) -> None:
        _close((self._stat, self._statm, self._schedstat))
        # Else the number, handed out again by the kernel, would let us read or close somebody else's file.
        self._stat = self._statm = self._schedstat = _NO_FILE

    def _run_delay_seconds(
        self, main: tuple[float, float], stat: tuple[float, int], all_threads: bool
    ) -> Reading[float]:  # fmt: skip
        if main == (0.0, 0.0) and stat[0] > 0.0:
            return Missing(f"{self._directory}/schedstat: all zero, this kernel keeps no scheduling statistics")
        if stat[1] == 1 and not self._other_delays:
            return max(self._delay_seconds, main[1] + self._exited_delay_seconds)
        if all_threads:
            others = self._read_other_threads()
            if isinstance(others, Missing):
                return others
            self._retire(others)
        total = main[1] + self._exited_delay_seconds + sum(self._other_delays.values())
        # Adding floats in another order may lose the last digit, and a counter must not go down even by that.
        self._delay_seconds = max(self._delay_seconds, total)
        return self._delay_seconds

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
            thread = text if isinstance(text, Missing) else parse_schedstat(os.fsencode(text)) or garbage(path, text)
            if not isinstance(thread, Missing):
                delays[tid] = thread[1]
            # A thread may exit between the listing and the read; any other trouble must not look like an exit.
            elif not isinstance(thread, Absent):
                return thread
        return delays

    def _read(self, descriptor: int, name: str, parse: Callable[[bytes], T | None]) -> T | Missing:
        try:
            content = os.pread(descriptor, 2048, 0)
        except OSError as error:
            why = "not open (closed, or a kernel without it)" if descriptor == _NO_FILE else error.strerror
            return Missing(f"{self._directory}/{name}: {why}")
        parsed = parse(content)
        return garbage(f"{self._directory}/{name}", content.decode("latin-1")) if parsed is None else parsed


_open_probes: weakref.WeakSet[ProcessProbe] = weakref.WeakSet()


def _close_inherited() -> None:
    # A forked worker would carry 3 descriptors for each sibling and count them against its own open-files limit.
    for probe in list(_open_probes):
        probe.close()


os.register_at_fork(after_in_child=_close_inherited)


CAP_SYS_PTRACE = 19
"""include/uapi/linux/capability.h"""


def may_trace(proc: Path = Path("/proc")) -> bool:
    """Whether this process has CAP_SYS_PTRACE, so that it may read smaps_rollup of other users' processes."""
    text = read_text(f"{proc}/self/status")
    found = None if isinstance(text, Missing) else re.search(r"^CapEff:\s*([0-9a-f]{1,16})$", text, re.MULTILINE)
    return found is not None and bool(int(found[1], 16) >> CAP_SYS_PTRACE & 1)


def open_process(pid: int, proc: Path = Path("/proc")) -> ProcessProbe | Missing:
    """A probe on `pid`; Missing when there is no such process, no /proc, or no descriptor is left.

    Three quarters of the open-files limit stay free of what we keep: the arbiter needs descriptors to start workers,
    and twice as many at a reload.
    """
    directory = f"{proc}/{pid}"
    opened = _open_files(directory)
    if isinstance(opened, Missing):
        return opened
    probe = ProcessProbe(directory, *opened)
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and max(opened) >= limit // 4:
        probe.keep_none()
    return probe


def _open_files(directory: str) -> tuple[int, int, int] | Missing:
    """stat, statm, schedstat."""
    opened: list[int] = []
    try:
        for name in ("stat", "statm", "schedstat"):
            opened.append(os.open(f"{directory}/{name}", _OPEN_FLAGS))
    except FileNotFoundError as error:
        # A kernel without CONFIG_SCHED_INFO lacks the last one only.
        if len(opened) < 2:
            _close(opened)
            return Missing(f"{error.filename}: {error.strerror}")
        opened.append(_NO_FILE)
    except OSError as error:
        _close(opened)
        return Missing(f"{error.filename}: {error.strerror}")
    stat, statm, schedstat = opened
    return stat, statm, schedstat


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        if descriptor != _NO_FILE:
            os.close(descriptor)
