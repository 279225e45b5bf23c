"""Whatever is given for a record: its ticks, or one line that says why not. Never a traceback, a hang or all memory."""

import gzip
import json
import os
import resource
import subprocess
import sys

import pytest

from gunicorn_autotune.cli import flights, main
from gunicorn_autotune.cli.style import CommandError
from tests.unit.cli.flying import a_flight

SECONDS = 30
MEMORY_BYTES = 1 << 30
"""Address space of the command; a record that is read without bound needs more."""


def fifo(path):
    """A pipe that nobody writes into."""
    os.mkfifo(path)


def gzip_bomb(path):
    """A gigabyte of spaces in a megabyte."""
    path.write_bytes(gzip.compress(b" " * (16 << 20), 1) * 64)


def long_line(path):
    """A gigabyte that takes no room on the disk."""
    with path.open("wb") as file:
        file.truncate(1 << 30)


def with_figure(text):
    """A record whose second tick has `text` where its time should be."""

    def write(path):
        lines = a_flight(path).read_text().splitlines()
        tick = json.loads(lines[2])
        tick["snapshot"]["at"] = "PLACE"
        lines[2] = json.dumps(tick).replace('"PLACE"', text)
        path.write_text("\n".join(lines) + "\n")

    return write


def of_the_future(path):
    """Another format."""
    header, *ticks = a_flight(path).read_text().splitlines()
    path.write_text("\n".join([json.dumps(json.loads(header) | {"flight": 99}), *ticks]))


def loop(path):
    """A link to itself."""
    path.symlink_to(path)


BAD = {
    "fifo": (fifo, "is a pipe"),
    "gzip_bomb": (gzip_bomb, "a line is longer than 16 MiB"),
    "long_line": (long_line, "a line is longer than 16 MiB"),
    "directory": (lambda path: path.mkdir(), "is a directory"),
    "link_loop": (loop, "symbolic links"),
    "empty": (lambda path: path.write_bytes(b""), "line 1: empty"),
    "binary": (lambda path: path.write_bytes(bytes(range(256))), "line 1: not JSON"),
    "nested": (lambda path: path.write_text('{"flight":' + "[" * 100_000), "line 1: "),
    "infinity": (with_figure("1e999"), "must be a finite number, is inf"),
    "not_a_number": (with_figure("NaN"), "must be a finite number, is nan"),
    "huge": (with_figure("1e300"), "holds figures that no server measures"),
    "whole_and_huge": (with_figure("9" * 400), "holds figures that no server measures"),
    "future": (of_the_future, "format 99 is newer"),
}


def told(command, path):
    """Exit code, output and error of the command, held to some memory and time."""
    ran = subprocess.run(
        [sys.executable, "-m", "gunicorn_autotune", command, str(path)],
        capture_output=True, text=True, timeout=SECONDS, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES)),
    )  # fmt: skip
    return ran.returncode, ran.stdout, ran.stderr


LARGE = ("gzip_bomb", "long_line")
SMALL = [kind for kind in BAD if kind not in LARGE]
"""`plan` reads a record by the same function; it finds other words for a gap of 10^300 seconds."""


@pytest.mark.parametrize(
    ("command", "kind"), [*(("replay", kind) for kind in SMALL), *(("plan", kind) for kind in SMALL if kind != "huge")]
)
def test_a_bad_record_is_refused_in_one_line(command, kind, tmp_path, capsys):
    """With its name and the reason."""
    write, why = BAD[kind]
    write(tmp_path / "f.jsonl")
    code = main([command, str(tmp_path / "f.jsonl")])
    out, err = capsys.readouterr()

    assert (code, out, err.count("\n")) == (2, "", 1), err[-2000:]
    assert err.startswith(f"gunicorn-autotune {command}: {tmp_path}/f.jsonl: ")
    assert why in err


@pytest.mark.parametrize("kind", LARGE)
def test_a_record_that_would_fill_the_memory_is_refused(kind, tmp_path):
    """A megabyte of gzip, or a file of holes, is a gigabyte of line."""
    write, why = BAD[kind]
    path = tmp_path / "f.jsonl.gz" if kind == "gzip_bomb" else tmp_path / "f.jsonl"
    write(path)

    assert told("replay", path) == (2, "", f"gunicorn-autotune replay: {path}: {why}, no server writes such a one\n")


def test_a_record_is_bounded_as_a_whole(tmp_path, monkeypatch):
    """Lines that are fine one by one may be far too many."""
    monkeypatch.setattr(flights, "MOST_BYTES", 10_000)
    with pytest.raises(CommandError, match=r"is larger than 9.8 KiB, unpacked"):
        flights.read_flight(a_flight(tmp_path / "f.jsonl"))


def test_a_device_is_refused():
    """/dev/zero has no end."""
    assert told("replay", "/dev/zero") == (
        2, "", "gunicorn-autotune replay: /dev/zero: is a device, a flight record is a regular file\n",
    )  # fmt: skip


def test_a_record_comes_through_standard_input_too(tmp_path):
    """The one pipe that somebody writes into."""
    path = a_flight(tmp_path / "f.jsonl")
    ran = subprocess.run(
        [sys.executable, "-m", "gunicorn_autotune", "replay", "/dev/stdin"], input=path.read_bytes(),
        capture_output=True, timeout=SECONDS, check=False,
    )  # fmt: skip

    assert (ran.returncode, b"12 ticks" in ran.stdout) == (0, True)


def test_lines_may_end_as_on_windows(tmp_path):
    """A record that went through a mail is the same record."""
    path = a_flight(tmp_path / "f.jsonl")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    assert told("replay", path)[0] == 0
