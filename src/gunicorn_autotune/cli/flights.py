"""Flight records from disk: every line checked, every fault told with its file and line number."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, cast

from gunicorn_autotune.cli.style import CommandError
from gunicorn_autotune.model.flight import FlightFault, Header, Tick, parse_header, parse_tick


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
    if fault and not (up_to_fault and ticks):
        hint = "; --up-to-fault takes the ticks before it" if ticks else ""
        raise CommandError(f"{path}: {fault}{hint}")
    if not ticks:
        raise CommandError(f"{path}: no tick follows the header")
    return Flight(header, tuple(ticks), fault)


def _opened(path: Path) -> TextIO:
    if path.name.endswith(".gz"):
        return cast(TextIO, gzip.open(path, "rt", encoding="utf-8", errors="replace"))
    return path.open(encoding="utf-8", errors="replace")


def _lines(file: TextIO) -> Iterator[str]:
    """Lines as far as they can be unpacked: a cut gzip file ends like a cut text file."""
    try:
        yield from file
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
