"""The servers that run on this host, as far as this user may know.

Each arbiter has a command socket in a folder of its user, and answers a ping there. Those without one, and those of
other users, are found at the ports where metrics are by default. No file tells of a server, so none can be out of date.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import stat
import tempfile
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gunicorn_autotune.cli.commanding import own_socket
from gunicorn_autotune.exporter import holder
from gunicorn_autotune.exporter.address import AUTO_HOST, AUTO_PORTS, Address
from gunicorn_autotune.model.printable import printable

PING = b'{"command": "ping"}'
PING_SECONDS = 2.0
"""For all of them together; an arbiter looks at its socket every `tick_seconds`, 1 s at most, unless it is held up."""
LARGEST_REPLY_BYTES = 1 << 20
MOST_SOCKETS = 200
LONGEST_TEXT = 200
NAME = re.compile(r"([0-9]{1,9})\.sock")


@dataclass(frozen=True, slots=True)
class Running:
    """One server; what it does not tell is empty or None."""

    pid: int | None
    name: str = ""
    bind: tuple[str, ...] = ()
    metrics: str = ""
    """URL of its /metrics."""
    workers: int | None = None
    command_socket: str = ""


def running(environment: Mapping[str, str]) -> list[Running]:
    """All that were found, by pid."""
    found = _pinged(sockets(folders(os.geteuid(), environment)))
    return sorted(merged(found, _at_default_ports()), key=lambda one: (one.pid or 0, one.metrics))


def merged(pinged: Iterable[Running], answering: Iterable[Running]) -> list[Running]:
    """Each server once; one that is held up does not answer a ping, but its exporter does."""
    found = {one.pid: one for one in pinged}
    urls = {one.metrics for one in found.values()}
    strangers = []
    for one in answering:
        known = found.get(one.pid)
        if known is not None and not known.bind:
            found[one.pid] = replace(one, command_socket=known.command_socket)
        elif known is None and one.metrics not in urls:
            strangers.append(one)
    return [*found.values(), *strangers]


def folders(uid: int, environment: Mapping[str, str], run: Path = Path("/run")) -> list[Path]:
    """Where command sockets may be (runtime/command_socket.py): the server's environment was perhaps not ours."""
    bases = {Path(tempfile.gettempdir()), Path("/tmp")}
    session = environment.get("XDG_RUNTIME_DIR", "")
    named = [Path(session)] if session.startswith("/") else []
    of_units = [found / "gunicorn-autotune" for found in _listed(run, "*")]
    if uid == 0:
        return [
            run / "gunicorn-autotune",
            *of_units,
            *(base / "gunicorn-autotune" for base in (*named, *_listed(run / "user", "*"))),
            *(found for base in sorted(bases) for found in _listed(base, "gunicorn-autotune-*")),
        ]
    return [
        *(base / "gunicorn-autotune" for base in (*named, run / "user" / str(uid))),
        *of_units,
        *(base / f"gunicorn-autotune-{uid}" for base in sorted(bases)),
    ]


def _listed(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


def sockets(places: Iterable[Path]) -> list[str]:
    """Paths of command sockets in them; not in a folder where others than its owner may put one."""
    found: dict[str, None] = {}
    for folder in places:
        with contextlib.suppress(OSError):
            mine = folder.lstat()
            if not stat.S_ISDIR(mine.st_mode) or mine.st_mode & 0o022:
                continue
            for path in sorted(folder.iterdir()):
                if NAME.fullmatch(path.name) and path.lstat().st_uid == mine.st_uid:
                    found[str(path)] = None
    return list(found)[:MOST_SOCKETS]


def ping(path: str) -> Running | None:
    """The server whose command socket this is, None where none listens; only its pid where it does not answer."""
    return next(iter(_pinged([path])), None)


def _pinged(paths: Iterable[str]) -> list[Running]:
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as waiting:
        for path in paths:
            own = stack.enter_context(own_socket())
            own.setblocking(False)
            try:
                own.connect(path)
                own.send(PING)
            except BlockingIOError:
                pass  # its queue is full: a server that is held up
            except OSError:
                continue
            waiting.register(own, selectors.EVENT_READ, path)
        return _answers(waiting, time.monotonic() + PING_SECONDS)


def _answers(waiting: selectors.BaseSelector, until: float) -> list[Running]:
    found = []
    while waiting.get_map() and (left := until - time.monotonic()) > 0:
        for key, _ in waiting.select(left):
            waiting.unregister(key.fileobj)
            own: Any = key.fileobj
            with contextlib.suppress(OSError, ValueError, RecursionError):
                found.append(_from_reply(json.loads(own.recv(LARGEST_REPLY_BYTES)), key.data))
    return found + [_silent(key.data) for key in waiting.get_map().values()]


def _silent(path: str) -> Running:
    match = NAME.fullmatch(Path(path).name)
    return Running(int(match[1]) if match else None, command_socket=path)


def _from_reply(reply: Any, path: str) -> Running:
    """ValueError when it is no reply of an arbiter; one from before 0.1.0 tells only its pid."""
    if not isinstance(reply, dict) or type(reply.get("pid")) is not int:
        raise ValueError("no reply of an arbiter")
    return Running(
        pid=reply["pid"],
        name=_text(reply.get("name")),
        bind=_texts(reply.get("bind")),
        metrics=_text(reply.get("metrics")),
        workers=reply["workers"] if type(reply.get("workers")) is int else None,
        command_socket=path,
    )


def _at_default_ports() -> list[Running]:
    addresses = [Address(AUTO_HOST, port) for port in AUTO_PORTS]
    with ThreadPoolExecutor(len(addresses)) as asking:  # each is bounded in time by itself
        documents = list(asking.map(holder.document, addresses))
    return [
        _from_document(document, f"http://{address}/metrics")
        for address, document in zip(addresses, documents, strict=True)
        if document is not None
    ]


def _from_document(document: Mapping[str, Any], url: str) -> Running:
    server, workers, listeners = (document.get(name) for name in ("server", "workers", "listeners"))
    if not isinstance(server, dict) or type(server.get("pid")) is not int:
        return Running(None, metrics=url)
    listening = listeners if isinstance(listeners, list) else []
    addresses = [one.get("address") for one in listening if isinstance(one, dict)]
    return Running(
        pid=server["pid"],
        name=_text(server.get("name")),
        bind=tuple(re.sub("^https?://", "", one) for one in _texts(addresses)),
        metrics=url,
        workers=len(workers) if isinstance(workers, list) else None,
        command_socket=_text(server.get("command_socket")),
    )


def _text(value: object) -> str:
    """Whoever answers may write anything."""
    return printable(value[:LONGEST_TEXT]) if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(filter(None, map(_text, value))) if isinstance(value, list) else ()
