"""Flight records from disk: every line checked, every fault told with its file and line number."""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from gunicorn_autotune.cli.style import CommandError, bytes_text
from gunicorn_autotune.model.flight import FlightFault, Header, Tick, parse_header, parse_tick

MOST_LINE_BYTES = 16 << 20
"""A tick takes some 250 bytes a worker, the header's memory some hundred kilobytes."""
MOST_BYTES = 256 << 20
"""Of one record, unpacked; with the default flight_record_bytes it has 32 MiB. As ticks it takes several times that."""


@dataclass(frozen=True, slots=True)
class Flight:
    """One record."""

    header: Header
    ticks: tuple[Tick, ...]
    """At least one."""
    fault: str = ""
    """Why the rest was left out, with the line number; empty when all of it was read."""


def read_flight(path: Path, *, up_to_fault: bool = False) -> Flight:
    """The record at `path`, through gzip when the name ends in .gz.

    A CommandError names file, line and fault; with `up_to_fault` the ticks before it are taken instead.
    """
    try:
        with _opened(path) as file:
            lines = _lines(file)
            header = _header(path, next(lines, ""))
            ticks, fault = _ticks(lines, header)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror or error}") from None
    except FlightFault as fault_of_file:
        raise CommandError(f"{path}: {fault_of_file}") from None
    if fault and not (up_to_fault and ticks):
        hint = "; --up-to-fault takes the ticks before it" if ticks else ""
        raise CommandError(f"{path}: {fault}{hint}")
    if not ticks:
        raise CommandError(f"{path}: no tick follows the header")
    return Flight(header, tuple(ticks), fault)


@contextmanager
def sane_figures(path: str) -> Iterator[None]:
    """Whatever is made of a record: figures that no server measures end in one line, not in a traceback."""
    try:
        yield
    except (ArithmeticError, ValueError, TypeError, IndexError, RecursionError) as error:
        what = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise CommandError(f"{path}: holds figures that no server measures ({what:.100})") from None


def _opened(path: Path) -> BinaryIO:
    """The file; a pipe only as our own standard input, since any other may never be written to. No device ends."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) and not _is_stdin(status):
        kinds = {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
        what = kinds.get(stat.S_IFMT(status.st_mode), "a device")
        raise FlightFault(f"is {what}, a flight record is a regular file")
    return cast(BinaryIO, gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb"))


def _is_stdin(status: os.stat_result) -> bool:
    """Whether this is the pipe that somebody writes into us: `... | gunicorn-autotune replay /dev/stdin`."""
    try:
        ours = os.fstat(0)
    except OSError:
        return False
    return stat.S_ISFIFO(status.st_mode) and (ours.st_dev, ours.st_ino) == (status.st_dev, status.st_ino)


def _lines(file: BinaryIO) -> Iterator[str]:
    """Lines as far as they can be unpacked: a cut gzip file ends like a cut text file. Bounded, as a bomb is not."""
    left = MOST_BYTES
    try:
        while line := file.readline(MOST_LINE_BYTES + 1):
            left -= len(line)
            if len(line) > MOST_LINE_BYTES:
                raise FlightFault(f"a line is longer than {bytes_text(MOST_LINE_BYTES)}, no server writes such a one")
            if left < 0:
                raise FlightFault(f"is larger than {bytes_text(MOST_BYTES)}, unpacked: cut it, keep the first line")
            yield line.decode("utf-8", errors="replace")
    except (EOFError, zlib.error):
        yield '{"'


def _header(path: Path, text: str) -> Header:
    try:
        return parse_header(text)
    except FlightFault as fault:
        raise CommandError(f"{path}: line 1: {fault}") from None


def _ticks(lines: Iterator[str], header: Header) -> tuple[list[Tick], str]:
    """Ticks up to the first fault, and that fault."""
    ticks: list[Tick] = []
    for number, text in enumerate(lines, start=2):
        try:
            ticks.append(parse_tick(text, header.rows))
        except FlightFault as fault:
            return ticks, f"line {number}: {fault}"
    return ticks, ""
