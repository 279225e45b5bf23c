"""The disk that the flight record is on is full."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gunicorn_autotune.cli.flights import read_flight
from tests.faults.steady import steady
from tests.server import serving, wait_for

pytestmark = [pytest.mark.real, pytest.mark.once]


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 2 MiB at `folder`."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        if os.environ.get("CI") == "true" and os.geteuid() == 0:
            raise AssertionError(mounted.stderr)
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(path: Path) -> None:
    """Write to `path` until there is no room for another page."""
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return


def test_the_record_stops_with_a_whole_line_and_goes_on_after_a_hup(tmp_path: Path) -> None:
    """One line, one count, ticks and answers go on; with room again a HUP starts the next record."""
    with small_disk(tmp_path / "disk") as disk:
        path = disk / "f.jsonl"
        with serving(tmp_path, flight_record=str(path)) as server, steady(server) as load:
            wait_for(lambda: path.read_text().count("\n") > 2, "some ticks")
            fill(disk / "filler")
            server.wait_for_log("autotune: flight record stopped until the next HUP, Gunicorn serves on path=")
            wait_for(lambda: server.metric('gunicorn_autotune_errors_total{stage="record"}') == 1, "one counted error")
            ticks = server.status()["tally"]["ticks"]
            server.wait_for_status(lambda status: status["tally"]["ticks"] > ticks + 8, "more ticks")
            load.answered(20)
            stopped = read_flight(path)
            (disk / "filler").unlink()
            server.signal(signal.SIGHUP)
            wait_for(lambda: (disk / "f.jsonl.1").exists() and path.read_text().count("\n") > 2, "the next record")
            load.answered(20)
            told = server.log.count("flight record stopped")

    assert ([], "", 1) == (load.failed, stopped.fault, told)
