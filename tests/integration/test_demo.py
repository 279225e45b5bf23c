"""`make demo` runs through, shows what it says, ends when told and says why when it cannot start."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.server import GUNICORN, wait_for

pytestmark = [pytest.mark.real, pytest.mark.once]
ROOT = Path(__file__).parents[2]
SHORT = ["--static", "2", "--calm", "2", "--busy", "4", "--after", "2"]


def as_at_a_terminal() -> None:
    """Ctrl-C counts: a shell that runs the tests in the background has SIGINT ignored for all below it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(arguments: list[str], log: Path, **extra: str) -> subprocess.Popen[bytes]:
    """The demo, its output in `log`."""
    with log.open("wb") as out:
        return subprocess.Popen(
            [GUNICORN, "-m", "benchmarks.demo", *arguments], cwd=ROOT, stdout=out, stderr=out, env=os.environ | extra,
            preexec_fn=as_at_a_terminal,
        )  # fmt: skip


def processes_of(group: str) -> list[str]:
    """Command lines of processes that run on a configuration file of a demo's folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if group in command:
            found.append(command)
    return found


@pytest.mark.once
def test_the_demo_grows_under_load_and_sums_up(tmp_path: Path) -> None:
    """Seconds, at least one decision in words, and both runs side by side in the end."""
    demo = start(SHORT, tmp_path / "out.txt")
    code = demo.wait(60)
    text = (tmp_path / "out.txt").read_text()

    assert code == 0, text
    assert re.search(r">>> +[\d.]+ s  grow +\d+ -> \d+ +(backlog|all_busy|demand): ", text), text
    assert len(re.findall(r"^ *\d+ s +\d+/s ", text, re.MULTILINE)) == 7 + 8, text
    assert re.search(r"^first 2 s busy, workers = 2 +240 ", text, re.MULTILINE), text
    assert re.search(r"^all 8 s, autotune +520 ", text, re.MULTILINE), text


def test_an_interrupted_demo_leaves_nothing_behind(tmp_path: Path) -> None:
    """Ctrl-C ends it at once, exit code 130, and its servers with it."""
    demo = start(SHORT, tmp_path / "out.txt", TMPDIR=str(tmp_path))
    wait_for(lambda: "  1 s " in (tmp_path / "out.txt").read_text(), "the load")
    running = processes_of(str(tmp_path))
    demo.send_signal(signal.SIGINT)
    began = time.monotonic()
    code = demo.wait(20)

    assert (code, len(running) >= 3, processes_of(str(tmp_path))) == (130, True, [])
    assert time.monotonic() - began < 10


def test_a_killed_demo_takes_its_servers_along(tmp_path: Path) -> None:
    """Even SIGKILL, which it cannot answer, leaves no server running."""
    demo = start(SHORT, tmp_path / "out.txt", TMPDIR=str(tmp_path))
    wait_for(lambda: "  1 s " in (tmp_path / "out.txt").read_text(), "the load")
    demo.kill()
    demo.wait(10)

    assert wait_for(lambda: not processes_of(str(tmp_path)), "the end of the servers")


def test_a_server_that_cannot_start_is_explained(tmp_path: Path) -> None:
    """The end of Gunicorn's log and exit code 1."""
    (tmp_path / "flask.py").write_text("raise ImportError('no flask today')\n")
    demo = start(SHORT, tmp_path / "out.txt", PYTHONPATH=str(tmp_path))
    code = demo.wait(40)
    text = (tmp_path / "out.txt").read_text()

    assert code == 1, text
    assert "ImportError: no flask today" in text
