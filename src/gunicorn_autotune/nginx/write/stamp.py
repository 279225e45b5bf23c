"""The first lines of a rendered file: what it was made from. They show whether it is stale, or was edited since.

# Written by gunicorn-autotune 0.1.0 for nginx 1.22.1. Change the command, not the file: see README.md.
# gunicorn 27.0.1: bind=["127.0.0.1:8000"] keepalive=10 max_workers=8 ...
# inputs 5f0c3d1a9e77, body 0b8d7c2e41aa

They name only the settings that the file uses: a change of another one does not make it stale.
"""

from __future__ import annotations

import hashlib
import json
import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gunicorn_autotune.model.version import VERSION
from gunicorn_autotune.nginx.read.quantity import version_of
from gunicorn_autotune.nginx.site.gunicorn import THREADED, Gunicorn
from gunicorn_autotune.nginx.write.fitting import CURABLE, LINGERS
from gunicorn_autotune.nginx.write.options import Options

_UNUSED = {"single": ("keepalive", "threads", "worker_connections"), "threaded": ("worker_connections",)}
"""Settings that a worker class ignores: their change makes no file stale. Event loops ignore `threads`."""
_COLUMNS = 116
_WRITTEN = re.compile(r"Written by gunicorn-autotune (?P<generator>\S+) for nginx (?P<nginx>\d[\d.]*\d)\.")
_GUNICORN = re.compile(r"gunicorn (?P<version>\S+): (?P<values>.*) inputs (?P<inputs>[0-9a-f]{12}), body (?P<body>\w+)")


@dataclass(frozen=True, slots=True)
class Stamp:
    """The header of one rendered file."""

    generator: str
    nginx: str
    gunicorn: str
    """Version."""
    values: Mapping[str, Any]
    inputs: str
    """12 hexadecimal digits of the settings and versions it was made from."""
    edited: bool
    """Whether the lines below are others than those that were written."""


def values_of(gunicorn: Gunicorn, names: Iterable[str]) -> dict[str, Any]:
    """What a header tells of Gunicorn: those of `names` that its version has and its worker class heeds."""
    unused = _UNUSED.get(gunicorn.kind, ("threads",))
    values = dict(gunicorn.values) | {"max_workers": gunicorn.most_workers}
    return {name: values[name] for name in sorted(names) if name in values and name not in unused}


def stamped(
    body: str, gunicorn: Gunicorn, options: Options, *, uses: Iterable[str], marks: tuple[str, str] = ("# ", "")
) -> str:
    """`body` below its header, which tells the settings it `uses`; `marks` begin and end a comment line."""
    values = values_of(gunicorn, uses)
    inputs = _digest(json.dumps([VERSION, options.nginx_version, gunicorn.version, values]))
    words = [f"{name}={json.dumps(value, separators=(',', ':'))}" for name, value in values.items()]
    written = f"Written by gunicorn-autotune {VERSION} for nginx {options.nginx_version}."
    lines = [
        f"{written} Change the command, not the file: see README.md.",
        *textwrap.wrap(
            f"gunicorn {gunicorn.version}: {' '.join(words) or 'no setting matters here'}",
            _COLUMNS,
            break_long_words=False,
            break_on_hyphens=False,
        ),
        f"inputs {inputs}, body {_digest(body)}",
    ]
    return "".join(f"{marks[0]}{line}{marks[1]}\n" for line in lines) + body


def stamp_of(text: str) -> Stamp | None:
    """The header of a file; None where it has none, because somebody else wrote it."""
    head, body = _parted(text)
    written, told = _WRITTEN.search(head), _GUNICORN.search(head)
    if written is None or told is None:
        return None
    return Stamp(
        generator=written["generator"],
        nginx=written["nginx"],
        gunicorn=told["version"],
        values=_values(told["values"]),
        inputs=told["inputs"],
        edited=told["body"] != _digest(body),
    )


def stale(stamp: Stamp, gunicorn: Gunicorn) -> dict[str, tuple[Any, Any]]:
    """Settings that differ, as `{"keepalive": (generated for, running)}`; `gunicorn` where its version matters here."""
    now = values_of(gunicorn, stamp.values)
    changed = {name: (old, now[name]) for name, old in stamp.values.items() if name in now and _differ(old, now[name])}
    before = version_of(stamp.gunicorn)
    crossed = any((before < limit) != (gunicorn.numbers < limit) for limit in (CURABLE, LINGERS))
    if crossed and gunicorn.kind == THREADED and "keepalive" in stamp.values:
        changed["gunicorn"] = (stamp.gunicorn, gunicorn.version)
    return changed


def _differ(stamped: Any, now: Any) -> bool:
    """As JSON has them: a tuple is a list there."""
    return bool(stamped != json.loads(json.dumps(now)))


def _parted(text: str) -> tuple[str, str]:
    """The header as one line without its comment marks, and what follows it."""
    lines = text.splitlines(keepends=True)
    for count, line in enumerate(lines[:12], 1):
        if re.search(r"^\W+inputs [0-9a-f]{12}, body ", line):
            head = (re.sub(r"^(# |<!-- )|( -->)$", "", one.rstrip("\n")) for one in lines[:count])
            return " ".join(head), "".join(lines[count:])
    return "", text


def _values(text: str) -> dict[str, Any]:
    """`a=1 b=["x y"]` with JSON behind each name; what is none ends it."""
    decoder, values, at = json.JSONDecoder(), {}, 0
    while match := re.compile(r"\s*(\w+)=").match(text, at):
        try:
            values[match[1]], at = decoder.raw_decode(text, match.end())
        except ValueError:
            break
    return values


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
