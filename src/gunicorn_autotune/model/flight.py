"""The flight record: what the law saw and answered, a tick a line, so that any host can decide it all again.

The first line is the header, every other one a tick. A record holds what Snapshot, Decision and History hold and
nothing else: no URL, no request header, no environment. Settings that are free text (addresses, files) are left out,
the law reads none of them; a UNIX socket keeps its name and loses its folder, as does every path in a Missing.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Union

from gunicorn_autotune.model.codec import ROWS, FlightFault, Rows, decoded, encoded
from gunicorn_autotune.model.decisions import Decision
from gunicorn_autotune.model.history import History
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.readings import Missing, Reading
from gunicorn_autotune.model.snapshot import Snapshot

__all__ = ["FORMAT", "MAGIC", "FlightFault", "Header", "Tick", "header_line", "parse_header", "parse_tick",
           "redacted", "tick_line", "unix_seconds"]  # fmt: skip

FORMAT = 1
"""Raised when the meaning of a field changes; a field that is added does not raise it."""
MAGIC = '{"flight":'
"""How every record begins."""
LONGEST_WORD = len("-Infinity")
FIRST_TICK = Missing("the record begins with the first tick of the server")


@dataclass(frozen=True, slots=True)
class Header:
    """The first line: who recorded, under which policy, and what the law remembered then."""

    format: int
    autotune: str
    server: Mapping[str, Any]
    """Versions and static settings, and the same instant on both clocks: `unix_seconds`, `monotonic_seconds`."""
    policy: Policy
    history: Reading[History] = FIRST_TICK
    """The law's memory before the first tick of this file: what makes a replay of a later file exact."""
    rows: Rows = ROWS
    """How this record orders the values of its arrays."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Any other line: what the law saw and what it answered."""

    snapshot: Snapshot
    decision: Decision


def header_line(header: Header) -> str:
    """One line without its end."""
    return encoded(
        {
            "flight": header.format,
            "autotune": header.autotune,
            "server": header.server,
            "policy": redacted(header.policy),
            "history": header.history,
            "rows": dict(header.rows),
        }
    )


def tick_line(snapshot: Snapshot, decision: Decision) -> str:
    """One line without its end."""
    return encoded({"snapshot": snapshot, "decision": decision})


def redacted(policy: Policy) -> dict[str, Any]:
    """The settings but for free text: all that the law reads, and no path or address."""
    return {
        spec.name: getattr(policy, spec.name)
        for spec in dataclasses.fields(policy)
        if spec.metadata["choices"] or not isinstance(spec.default, str)
    }


def parse_header(text: str) -> Header:
    """The first line of a record, or a FlightFault."""
    line = _object(text, "flight", "the first line of a flight record")
    written = line["flight"]
    if type(written) is not int:
        raise FlightFault(f"format must be a whole number, is {written!r:.40}")
    if written > FORMAT:
        raise FlightFault(f"format {written} is newer than this autotune knows ({FORMAT}): update gunicorn-autotune")
    rows = _rows(_field(line, "rows"))
    server = _read(Mapping[str, Any], line, "server", rows)
    for name in ("unix_seconds", "monotonic_seconds"):
        _read(float, server, name, rows)
    return Header(
        format=written,
        autotune=_read(str, line, "autotune", rows),
        server=server,
        policy=_read(Policy, line, "policy", rows),
        history=_history(line, rows),
        rows=rows,
    )


def parse_tick(text: str, rows: Rows = ROWS) -> Tick:
    """Any other line, or a FlightFault; `rows` are those of the record's header."""
    line = _object(text, "snapshot", "a tick of a flight record")
    return Tick(_read(Snapshot, line, "snapshot", rows), _read(Decision, line, "decision", rows))


def unix_seconds(header: Header, at: float) -> float:
    """`at` of a snapshot on the wall clock, as it stood when the file was begun."""
    return float(header.server["unix_seconds"]) + at - float(header.server["monotonic_seconds"])


def _history(line: dict[str, Any], rows: Rows) -> Reading[History]:
    """What an autotune of another version remembers may have another shape: then the law starts afresh."""
    try:
        history: Reading[History] = decoded(Union[History, Missing], _field(line, "history"), rows)
    except FlightFault as fault:
        return Missing(f"the law of autotune {line.get('autotune')} remembered something else: {fault}")
    return history


def _rows(value: Any) -> Rows:
    names = decoded(Mapping[str, tuple[str, ...]], value)
    return tuple(names.items())


def _object(text: str, key: str, what: str) -> dict[str, Any]:
    """The line as an object that has `key`."""
    text = text.strip()
    if not text:
        raise FlightFault("empty")
    try:
        line = json.loads(text)
    except json.JSONDecodeError as error:
        raise FlightFault("truncated" if _cut(text, error) else "not JSON") from None
    except (ValueError, RecursionError):
        raise FlightFault("not JSON") from None
    if not isinstance(line, dict) or key not in line:
        raise FlightFault(f"not {what}")
    return line


def _cut(text: str, error: json.JSONDecodeError) -> bool:
    """Whether the text ends too soon: the fault lies at its end, or in a string or a word that never does."""
    at_end = error.pos >= len(text) - LONGEST_WORD or error.msg.startswith("Unterminated")
    return text.startswith('{"') and at_end


def _field(line: Mapping[str, Any], name: str) -> Any:
    if name not in line:
        raise FlightFault(f"missing field {name}")
    return line[name]


def _read(form: Any, line: Mapping[str, Any], name: str, rows: Rows) -> Any:
    value = _field(line, name)
    try:
        return decoded(form, value, rows)
    except FlightFault as fault:
        text = str(fault)
        raise FlightFault(name + text if text.startswith((".", "[")) else f"{name}: {text}") from None
