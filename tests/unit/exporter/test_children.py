"""Numbers for forked processes: never one for two that live, and the lowest that is free."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from gunicorn_autotune.exporter import children

CLAIM = """
import sys
from gunicorn_autotune.exporter import children
print(children.claim(sys.argv[1], 1), flush=True)
sys.stdin.read()
"""


def claiming(folder: Path) -> subprocess.Popen[bytes]:
    """A process that takes a number, says it, and lives until its input ends."""
    return subprocess.Popen([sys.executable, "-c", CLAIM, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def answer(process: subprocess.Popen[bytes]) -> int:
    """The number it got."""
    assert process.stdout is not None
    return int(process.stdout.readline())


def test_processes_that_live_at_once_get_different_numbers(tmp_path: Path) -> None:
    """However many ask in the same moment; the numbers of the dead are given out again."""
    first = [claiming(tmp_path) for _ in range(6)]
    numbers = sorted(map(answer, first))
    for process in first[:3]:
        process.communicate()
    again = claiming(tmp_path)
    third = answer(again)
    held = children.holders(str(tmp_path), 1)
    for process in (*first[3:], again):
        process.communicate()

    assert (numbers, third < 6, len(held)) == ([0, 1, 2, 3, 4, 5], True, 4)
    assert children.holders(str(tmp_path), 1) == set()


def test_a_process_keeps_its_number(tmp_path: Path) -> None:
    """Asked twice, it holds one."""
    assert (children.claim(str(tmp_path), 1), children.claim(str(tmp_path), 1)) == (0, 0)


def test_garbage_in_the_file_of_pids_is_no_process(tmp_path: Path) -> None:
    """Negative pids are groups, and half a record is none."""
    (tmp_path / children.registry(1)).write_bytes(children.PID.pack(-1) + b"\xff" * 7)

    assert (children.claim(str(tmp_path), 1), children.holders(str(tmp_path), 1)) == (0, {0})


def test_a_folder_that_cannot_be_written_gives_no_number(tmp_path: Path) -> None:
    """The caller then takes its pid."""
    assert children.claim(str(tmp_path / "none"), 1) is None
    (tmp_path / children.registry(2)).symlink_to("/dev/null")
    assert children.claim(str(tmp_path), 2) is None


def test_a_registry_that_another_process_holds_is_waited_for(tmp_path: Path) -> None:
    """A number is worth a moment: without one the caller's files are named by pid."""
    file = tmp_path / children.registry(1)
    file.touch()
    with file.open("r+b") as held, ThreadPoolExecutor(1) as pool:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = pool.submit(children.claim, str(tmp_path), 1)
        assert not wait([waiting], timeout=2 * children.RETRY_SECONDS).done
        fcntl.flock(held, fcntl.LOCK_UN)
        number = waiting.result()

    assert number == 0
