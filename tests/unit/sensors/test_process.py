"""The process probe on /proc trees built by hand: what it adds up, and what it never lets go down."""

import errno
import os
from pathlib import Path

import pytest

from gunicorn_autotune.model.readings import MemoryReading, Missing, ProcessReading
from gunicorn_autotune.sensors import process_psutil
from gunicorn_autotune.sensors.memory import parse_smaps_rollup, read_memory
from gunicorn_autotune.sensors.process import open_process, parse_schedstat, parse_stat, parse_statm_rss_bytes

PID = 4711
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
ROLLUP = """562e6d25f000-7fffc1310000 ---p 00000000 00:00 0                          [rollup]
Rss:               41776 kB
Pss:               18452 kB
Pss_Dirty:         15112 kB
Shared_Clean:      21600 kB
Private_Clean:        64 kB
Private_Dirty:     15112 kB
Private_Hugetlb:    2048 kB
Swap:                  0 kB
"""


def stat(utime=0, stime=0, threads=1, comm="gunicorn"):
    """A line of /proc/PID/stat."""
    return (
        f"{PID} ({comm}) S 1 {PID} {PID} 0 -1 4194304 99 0 0 0 {utime} {stime} 0 0 20 0 {threads} 0 115111 "
        "33133440 4382 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
    )


class Tree:
    """A /proc of one process, changed between two reads as the kernel would."""

    def __init__(self, proc: Path) -> None:
        self.proc, self.home = proc, proc / str(PID)
        (self.home / "task").mkdir(parents=True)
        self.set(cpu_ns=0, delay_ns=0)

    def set(self, cpu_ns, delay_ns, others=None, **fields):
        """Write all files; `others` is run delay in ns by tid."""
        others = others or {}
        (self.home / "stat").write_text(stat(threads=1 + len(others), **fields))
        (self.home / "statm").write_text("8089 4382 2000 1 0 3000 0\n")
        (self.home / "schedstat").write_text(f"{cpu_ns} {delay_ns} 9\n")
        for gone in (self.home / "task").iterdir():
            (gone / "schedstat").unlink()
            gone.rmdir()
        for tid, delay in {PID: delay_ns, **others}.items():
            (self.home / "task" / str(tid)).mkdir()
            (self.home / "task" / str(tid) / "schedstat").write_text(f"1 {delay} 1\n")


@pytest.fixture
def tree(tmp_path):
    """A process with one thread that has done nothing."""
    return Tree(tmp_path)


@pytest.fixture
def probe(tree):
    """A probe on it, closed afterwards."""
    probe = open_process(PID, tree.proc)
    yield probe
    probe.close()


@pytest.mark.parametrize("comm", ["gunicorn", "gunicorn: worker", "a) S 1 (b", ")))", "(", "x " * 7])
def test_comm_cannot_shift_the_fields_of_stat(comm):
    """A program may name itself with blanks and parentheses; the last one closes the name."""
    assert parse_stat(stat(utime=1, stime=2, threads=5, comm=comm).encode()) == (3 / TICKS, 5)


@pytest.mark.parametrize(
    ("content", "seconds"),
    [(b"1000000000 0 1", (1.0, 0.0)), (b"-1 5 1", None), (b"5 -1 1", None), (b"0 0 0", (0.0, 0.0))],
)
def test_time_below_zero_is_garbage(content, seconds):
    """Of the CPU and of the wait for it."""
    assert seconds == parse_schedstat(content)


@pytest.mark.parametrize("content", [b"", b")", b"1 (x) S", b"\xff\x00", b"1 (x) S " + b"z " * 40, b"9" * 2000])
def test_garbage_parses_to_none(content):
    """None of the three parsers raises or invents a number."""
    assert [parse(content) for parse in (parse_stat, parse_schedstat, parse_statm_rss_bytes)] == [None] * 3


def test_one_thread_reads_exact_cpu_delay_and_rss(tree, probe):
    """schedstat counts in nanoseconds, statm in pages."""
    tree.set(cpu_ns=1_234_567_890, delay_ns=500_000_000, utime=1, stime=1)

    assert ProcessReading(1.23456789, 0.5, 4382 * PAGE, 1) == probe.read()


def test_threads_add_their_run_delay_and_cpu_comes_from_stat(tree, probe):
    """/proc/PID/schedstat is the main thread alone: with threads it tells neither delay nor CPU of the process."""
    tree.set(
        cpu_ns=100_000_000, delay_ns=1_000_000_000, others={5000: 2_000_000_000, 5001: 250_000_000}, utime=9 * TICKS
    )

    assert ProcessReading(9.0, 3.25, 4382 * PAGE, 3) == probe.read()


def test_run_delay_does_not_go_down_when_a_thread_exits(tree, probe):
    """A thread that exits takes its figure out of task/; the sum keeps it."""
    tree.set(0, 10**9, others={5000: 2 * 10**9, 5001: 10**9})
    before = probe.read().run_delay_seconds
    tree.set(0, 10**9, others={5001: 10**9})
    without_one = probe.read().run_delay_seconds
    tree.set(0, 2 * 10**9)

    assert [before, without_one, probe.read().run_delay_seconds] == [4.0, 4.0, 5.0]


def test_thread_with_a_used_tid_adds_to_its_predecessor(tree, probe):
    """A smaller figure under the same tid is another thread."""
    tree.set(0, 0, others={5000: 3 * 10**9})
    probe.read()
    tree.set(0, 0, others={5000: 10**9})

    assert probe.read().run_delay_seconds == 4.0


def test_cpu_does_not_go_down_when_threads_are_gone(tree, probe):
    """Back to one thread, stat still holds the CPU of the exited ones."""
    tree.set(10**9, 0, others={5000: 0}, utime=8 * TICKS)
    probe.read()
    tree.set(2 * 10**9, 0, utime=9 * TICKS)

    assert probe.read().cpu_seconds == 9.0


def test_cheap_read_keeps_the_threads_last_figures(tree, probe):
    """all_threads=False reads the main thread only and still does not go down."""
    tree.set(0, 10**9, others={5000: 2 * 10**9})
    probe.read()
    tree.set(0, 2 * 10**9, others={5000: 9 * 10**9})

    assert (probe.read(all_threads=False).run_delay_seconds, probe.read().run_delay_seconds) == (4.0, 11.0)


def test_zombie_has_no_rss(tree, probe):
    """A process that exited and was not reaped maps nothing: Missing, not a worker of 0 bytes."""
    (tree.home / "statm").write_text("0 0 0 0 0 0 0\n")

    assert isinstance(probe.read().rss_bytes, Missing)


def test_kernel_without_scheduling_statistics_has_no_run_delay(tree, probe):
    """All zeros beside used CPU mean that nobody counts: Missing, not "never waited"."""
    tree.set(0, 0, utime=TICKS)
    reading = probe.read()

    assert reading.cpu_seconds == 1.0
    assert isinstance(reading.run_delay_seconds, Missing)


def test_kernel_without_schedstat_still_reads_cpu_and_rss(tree):
    """No schedstat file costs the run delay only."""
    (tree.home / "schedstat").unlink()
    tree.set_stat = (tree.home / "stat").write_text(stat(utime=2 * TICKS))
    probe = open_process(PID, tree.proc)
    reading = probe.read()
    probe.close()

    assert (reading.cpu_seconds, reading.rss_bytes) == (2.0, 4382 * PAGE)
    assert isinstance(reading.run_delay_seconds, Missing)


def test_closed_probe_reads_missing_and_closes_twice(probe):
    """After close() nothing of somebody else's descriptor is read."""
    probe.close()
    probe.close()

    assert isinstance(probe.read().cpu_seconds, Missing)


def test_no_such_process_is_missing_with_its_path(tmp_path):
    """open_process answers, it does not raise."""
    answer = open_process(PID, tmp_path)

    assert isinstance(answer, Missing)
    assert f"{tmp_path}/{PID}/stat" in answer.why


def descriptors():
    """How many are open."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("gone", ["stat", "statm"])
def test_a_process_that_vanishes_while_it_is_opened_leaves_no_descriptor(tree, gone):
    """Workers die at every moment; one descriptor each would fill the arbiter's table in weeks."""
    (tree.home / gone).unlink()
    before = descriptors()
    answers = [open_process(PID, tree.proc) for _ in range(3)]

    assert all(isinstance(answer, Missing) for answer in answers)
    assert before == descriptors()


def test_a_process_that_may_not_be_opened_leaves_no_descriptor(tree):
    """schedstat is refused after the two others were opened."""
    (tree.home / "schedstat").unlink()
    (tree.home / "schedstat").symlink_to("schedstat")
    before = descriptors()

    assert isinstance(open_process(PID, tree.proc), Missing)
    assert before == descriptors()


def test_where_descriptors_are_scarce_a_probe_keeps_none_and_reads_the_same(tree, monkeypatch):
    """Measuring never takes the descriptors that serving needs, and is not blind for that."""
    kept = open_process(PID, tree.proc)
    monkeypatch.setattr("resource.getrlimit", lambda _: (16, 16))
    before = descriptors()
    scarce = open_process(PID, tree.proc)
    readings = [scarce.read(), scarce.read(), kept.read()]
    held = descriptors() - before
    kept.close()

    assert (held, readings[0], readings[1]) == (0, readings[2], readings[2])


def test_where_no_descriptor_is_left_a_reading_is_missing(tree, monkeypatch):
    """And not an exception, nor an idle process."""
    monkeypatch.setattr("resource.getrlimit", lambda _: (16, 16))
    probe = open_process(PID, tree.proc)

    def none_left(*_):
        raise OSError(errno.EMFILE, "Too many open files", "stat")

    monkeypatch.setattr("os.open", none_left)
    reading = probe.read()

    assert isinstance(reading.cpu_seconds, Missing)
    assert "Too many open files" in reading.cpu_seconds.why


def test_a_closed_probe_that_kept_none_stays_closed(tree, monkeypatch):
    """The pid may be a stranger's by then."""
    monkeypatch.setattr("resource.getrlimit", lambda _: (16, 16))
    probe = open_process(PID, tree.proc)
    probe.close()

    assert isinstance(probe.read().cpu_seconds, Missing)


def test_psutil_probe_has_the_same_shape():
    """The fallback reads this very process: CPU and RSS, but no run delay."""
    probe = process_psutil.open_process(os.getpid())
    reading = probe.read()
    probe.close()

    assert reading.cpu_seconds > 0
    assert reading.rss_bytes > 0
    assert isinstance(reading.run_delay_seconds, Missing)


def test_psutil_probe_on_nothing_is_missing():
    """No pid is that large."""
    assert isinstance(process_psutil.open_process(2**31 - 1), Missing)


def test_rollup_is_pss_and_private_memory():
    """USS is private clean, dirty and huge pages; kB means KiB."""
    assert MemoryReading(18452 * 1024, (64 + 15112 + 2048) * 1024) == parse_smaps_rollup(ROLLUP)


def test_rollup_without_hugetlb_line_still_counts():
    """Kernels built without huge pages print no such line."""
    text = "".join(line for line in ROLLUP.splitlines(keepends=True) if "Hugetlb" not in line)

    assert parse_smaps_rollup(text).uss_bytes == (64 + 15112) * 1024


def test_rollup_of_an_absent_process_is_missing(tmp_path):
    """A fixture tree never falls back on the real host's process of that number."""
    assert isinstance(read_memory(os.getpid(), tmp_path), Missing)


def test_process_that_is_ending_has_no_threads():
    """The kernel prints 0 once the last one has been released; its CPU seconds stand."""
    assert (2 / TICKS, 0) == parse_stat(stat(utime=2, threads=0).encode())


def test_forked_child_keeps_none_of_its_parents_files():
    """A worker would count three for each sibling against its own limit of open files."""
    probe = open_process(os.getpid())
    files = [Path(f"/proc/self/fd/{number}") for number in (probe._stat, probe._statm, probe._schedstat)]
    child = os.fork()
    if child == 0:
        os._exit(sum(file.exists() for file in files))
    held = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    probe.close()

    assert held == 0
