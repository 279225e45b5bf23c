"""The flight record on disk: one write a tick, two files of half the bound each, and never Gunicorn's trouble.

Whatever fails is logged once and counted; the recording stops, Gunicorn serves on, and the next HUP tries again.
Only the arbiter writes: a worker closes its copy of the descriptor right after its fork, an exec closes it by itself.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gunicorn_autotune.model.decisions import Decision
from gunicorn_autotune.model.flight import FIRST_TICK, FORMAT, MAGIC, Header, header_line, tick_line
from gunicorn_autotune.model.history import History
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.snapshot import Snapshot
from gunicorn_autotune.model.status import Stage
from gunicorn_autotune.runtime.log import line

if TYPE_CHECKING:
    from gunicorn_autotune.runtime.state import Autotune

SETTINGS = (
    "workers", "threads", "max_requests", "max_requests_jitter", "timeout", "graceful_timeout", "keepalive",
    "worker_connections", "preload_app", "backlog",
)  # fmt: skip
"""Gunicorn's static settings that matter for advice; numbers and switches, no text."""
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class FlightWriter:
    """The files at `path`; opened at the first line, so a server that dies before it pushes no older record out."""

    def __init__(self, policy: Policy, server: Mapping[str, Any]) -> None:
        self.policy = policy
        self.server = server
        """Versions and static settings, for the header."""
        self.path = policy.flight_record
        self.half_bytes = policy.flight_record_bytes // 2
        self.stopped = False
        self._fd: int | None = None
        self._size = 0

    def append(self, text: str, header: Callable[[], str]) -> None:
        """Write one line, in a new file that begins with `header()` when there is none yet or half the bound is full.

        Raises OSError; the file ends with a whole line even then.
        """
        data = text.encode() + b"\n"
        if self._fd is not None and self._size + len(data) > self.half_bytes:
            self._leave()
        if self._fd is None:
            self._begin(header().encode() + b"\n", len(data))
        self._write(data)

    def in_place(self) -> bool:
        """Whether the file we write is the one at `path`; also before the first line."""
        if self._fd is None:
            return True
        try:
            return os.path.samestat(os.lstat(self.path), os.fstat(self._fd))
        except OSError:
            return False

    def stop(self) -> None:
        """Write no more."""
        self.stopped = True
        self.forget()

    def forget(self) -> None:
        """Close the descriptor, as a forked worker must."""
        if self._fd is not None:
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._fd = None

    def _begin(self, first: bytes, then_bytes: int) -> None:
        if len(first) + then_bytes > self.half_bytes:
            raise OSError(errno.EFBIG, f"one tick takes {then_bytes} bytes: raise flight_record_bytes", self.path)
        make_way(self.path, self.half_bytes)
        self._fd, self._size = os.open(self.path, NEW_FILE, 0o600), 0
        self._write(first)

    def _leave(self) -> None:
        """Before a new file takes the place of ours: after a USR2 upgrade the path belongs to the new arbiter."""
        if os.path.lexists(self.path) and not self.in_place():
            raise OSError(errno.EBUSY, "another process records there", self.path)
        self.forget()

    def _write(self, data: bytes) -> None:
        """One write, so that a crash cannot leave more than one line cut short."""
        assert self._fd is not None
        try:
            if os.write(self._fd, data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.path)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._size)
            raise
        self._size += len(data)


def make_way(path: str, most_bytes: int) -> None:
    """Move the record at `path` to `path.1`; drop what is larger than `most_bytes`. Only records are ever touched."""
    before = f"{path}.1"
    for name in (path, before):
        if not _is_record(name):
            raise OSError(errno.EEXIST, "is there and no flight record", name)
    with contextlib.suppress(FileNotFoundError):
        os.replace(path, before)  # noqa: PTH105 (a Path would be made for this alone)
    with contextlib.suppress(FileNotFoundError):
        if os.lstat(before).st_size > most_bytes:
            os.unlink(before)  # noqa: PTH108


def _is_record(name: str) -> bool:
    """Whether `name` is a record, empty or not there: an operator's slip must not move a folder or a foreign file."""
    try:
        fd = os.open(name, LOOK)
    except FileNotFoundError:
        return True
    try:
        magic = MAGIC.encode()
        return stat.S_ISREG(os.fstat(fd).st_mode) and os.read(fd, len(magic)) in (magic, b"")
    finally:
        os.close(fd)


def writer_for(server: Any, tune: Autotune) -> FlightWriter | None:
    """The writer that the policy asks for; no file is touched yet."""
    if not tune.policy.flight_record:
        return None
    cfg, identity = server.cfg, tune.identity
    facts = {"gunicorn": identity.gunicorn, "python": identity.python, "worker_class": identity.worker_class}
    return FlightWriter(tune.policy, facts | {name: getattr(cfg, name) for name in SETTINGS})


def after_reload(server: Any, tune: Autotune) -> FlightWriter | None:
    """The writer after a HUP: the same one while its header is true, else a new one and so a new file."""
    old, new = tune.flight, writer_for(server, tune)
    if old is not None:
        same = new is not None and (old.policy, old.server) == (new.policy, new.server)
        if same and not old.stopped and old.in_place():
            return old
        old.forget()
    return new


def record(server: Any, tune: Autotune, history: History | None, snapshot: Snapshot, decision: Decision) -> None:
    """Keep one tick; `history` is what the law remembered before it. Never raises."""
    writer = tune.flight
    if writer is None or writer.stopped:
        return
    try:
        writer.append(tick_line(snapshot, decision), lambda: header_line(header_of(tune, writer, history)))
    except Exception as error:
        writer.stop()
        tune.tally.errors[Stage.RECORD] += 1
        why = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        path = getattr(error, "filename", None) or writer.path
        server.log.error(line("flight record stopped until the next HUP, Gunicorn serves on", path=path, error=why))


def header_of(tune: Autotune, writer: FlightWriter, history: History | None) -> Header:
    """The first line of a file that begins now."""
    now = {"unix_seconds": time.time(), "monotonic_seconds": time.monotonic()}
    return Header(
        format=FORMAT,
        autotune=tune.identity.autotune,
        server={**writer.server, **now},
        policy=writer.policy,
        history=FIRST_TICK if history is None else history,
    )
