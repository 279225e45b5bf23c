"""Entry point of the exporter's process: scoreboard words become the exporter's plain values, and it serves them."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import json
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gunicorn_autotune.exporter import multiprocess, serve
from gunicorn_autotune.exporter.address import (
    AUTO,
    AUTO_HOST,
    AUTO_PORTS,
    Address,
    Settings,
    first_choice,
    parse_address,
)
from gunicorn_autotune.exporter.rows import BoardReading, Buckets, Row
from gunicorn_autotune.model.printable import printable
from gunicorn_autotune.model.snapshot import WorkerState
from gunicorn_autotune.runtime import command_socket, oom_score
from gunicorn_autotune.runtime.exporter_process import LISTENING
from gunicorn_autotune.scoreboard import board, layout
from gunicorn_autotune.scoreboard.belief import Believed
from gunicorn_autotune.scoreboard.board import Board

KEPT_PATIENCE_SECONDS = 5.0
"""How long an address we had before is waited for; an exporter that is told to leave takes a second at most."""


class BoardSource:
    """exporter.rows.Source over a scoreboard."""

    def __init__(self, scoreboard: Board) -> None:
        self.board = scoreboard
        self.believed = Believed()
        # Once: a start time that moved by the clocks' jitter at every scrape would look like a new process.
        self._unix_minus_monotonic = time.time() - time.monotonic()

    def status(self) -> dict[str, Any] | None:
        """The last published status document."""
        status = self.board.status()
        return None if status is None else json.loads(status)

    def rows(self) -> BoardReading:
        """All rows as they are now."""
        now_ns, ahead = time.monotonic_ns(), self._unix_minus_monotonic
        slots = [self.believed.read(self.board, slot, now_ns) for slot in range(self.board.slots_used)]
        sums = list(map(sum, zip(*slots, strict=True))) or [0] * layout.ROW_WORDS
        return BoardReading(
            rows=tuple(_row(slot, words, now_ns, ahead) for slot, words in enumerate(slots)),
            durations=tuple(map(_durations, [sums] * len(layout.DURATION_FIRSTS), range(len(layout.DURATION_FIRSTS)))),
            queue=Buckets(tuple(sums[layout.QUEUE_BUCKETS : layout.QUEUE_END]), sums[layout.QUEUE_NS] / 1e9),
            queue_dropped=sums[layout.QUEUE_DROPPED],
            door_errors=tuple(sums[layout.DOOR_ERRORS : layout.DOOR_ERRORS_END]),
        )


def _row(slot: int, words: list[int], now_ns: int, ahead: float) -> Row:
    records = bool(words[layout.RECORDS])
    now = board.activity(words, now_ns)
    pid, held = words[layout.PID], board.held(words, now, now_ns)
    silent = board.silent(words, now, now_ns)
    return Row(
        slot=slot,
        pid=pid,
        state=_state(words, now.in_flight or held or silent, records=records) if pid else None,
        spawned=words[layout.SPAWNED_NS] / 1e9 + ahead,
        requests=board.finished(words) if records else None,
        busy_seconds=now.busy_ns / 1e9 if records else None,
        in_flight=now.in_flight if records else None,
        queued=board.queued(words) if records else None,
        held=held if records else None,
        oldest_request_seconds=(max(0, now_ns - now.oldest_ns) / 1e9 if now.oldest_ns else 0.0) if records else None,
        # A process that was ever read has used some: 0 is a /proc that cannot be read.
        cpu_seconds=words[layout.CPU_NS] / 1e9 or None,
        rss_bytes=_bytes(words[layout.RSS_BYTES]),
        uss_bytes=_bytes(words[layout.USS_BYTES]),
        pss_bytes=_bytes(words[layout.PSS_BYTES]),
        ready=bool(words[layout.READY_NS]) and not words[layout.DRAINING],
    )


def _state(words: list[int], taken: int, *, records: bool) -> WorkerState:
    if words[layout.DRAINING]:
        return WorkerState.DRAINING
    if not words[layout.READY_NS]:
        return WorkerState.BOOTING
    if not records:
        return WorkerState.UNKNOWN
    return WorkerState.BUSY if taken else WorkerState.IDLE


def _bytes(word: int) -> int | None:
    return None if word in (0, layout.NOT_READ) else word


def _durations(sums: list[int], status_class: int) -> Buckets:
    first = layout.DURATION_FIRSTS[status_class]
    counts = tuple(sums[first : first + layout.DURATION_BUCKET_COUNT])
    return Buckets(counts, sums[layout.DURATION_SUMS[status_class]] / 1e9)


def main(
    arbiter_fds: list[int],
    board_fds: list[int],
    rows: int,
    status_bytes: int,
    pipe_fd: int,
    user: list[int],
    healthy_seconds: float,
    settings: dict[str, str],
    oom_score_step: int,
    kept: str,
    predecessor_pid: int,
) -> None:
    """Serve until the arbiter is gone. `kept` is the address that `metrics = "auto"` had before, empty for none.

    Never exits with 3 or 4: old Gunicorns read those from any child as "halt".
    """
    _name_process()
    with contextlib.suppress(OSError, ValueError):
        oom_score.go_before(oom_score_step)
    _wake_when_closed(pipe_fd)
    os.write(pipe_fd, b"%d\n" % os.getpid())
    source = BoardSource(Board((board_fds[0], board_fds[1]), layout.Shape(rows, status_bytes), writable=False))

    def write(data: bytes) -> None:
        # The arbiter may be gone; its log is the only place to tell it.
        try:
            os.write(pipe_fd, data + b"\n")
        except OSError:
            return

    def tell(text: str) -> None:
        write(printable(text).encode())

    try:
        _drop_privileges(*user)
        serve.run(
            source,
            exporter_settings(settings, healthy_seconds, kept, predecessor_pid),
            tell=tell,
            parent_alive=_watch(pipe_fd, arbiter_fds),
            listening=lambda address, url: write(LISTENING + json.dumps([str(address), url]).encode()),
        )
    except Exception as error:
        tell(f"exporter failed error={type(error).__name__}: {error}")
        raise SystemExit(1) from None


COMMAND_NAME = "autotune-export"
"""In `top` and `ps -e`, 15 characters. Without "gunicorn": scripts count processes by that name."""


def _name_process() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(COMMAND_NAME)


def _watch(pipe_fd: int, arbiter_fds: list[int]) -> Callable[[], bool]:
    """Whether the arbiter lives: a pidfd is readable when its process has ended, a pipe errs when nobody can read it.

    Not by getppid: our parent is whoever takes up orphans.
    """
    ends = select.poll()
    ends.register(pipe_fd, 0)
    for fd in arbiter_fds:
        ends.register(fd, select.POLLIN)
    return lambda: not ends.poll(0)


def _wake_when_closed(pipe_fd: int) -> None:
    """Let the kernel send us SIGCONT when the arbiter's end of the pipe closes (fcntl(2), F_SETSIG).

    An exporter that somebody has stopped would keep the port after a killed arbiter; so it wakes up and leaves. It is
    woken too when the arbiter reads a line of ours.
    """
    with contextlib.suppress(AttributeError, OSError):
        fcntl.fcntl(pipe_fd, fcntl.F_SETSIG, signal.SIGCONT)
        fcntl.fcntl(pipe_fd, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(pipe_fd, fcntl.F_SETFL, fcntl.fcntl(pipe_fd, fcntl.F_GETFL) | os.O_ASYNC)


def exporter_settings(
    settings: dict[str, str], healthy_seconds: float, kept: str = "", predecessor_pid: int = 0
) -> Settings:
    """From the policy's text settings to the exporter's own."""
    auto = settings["metrics"] == AUTO
    return Settings(
        address=parse_address((auto and kept) or first_choice(settings["metrics"])),
        others=free_places if auto else None,
        patience_seconds=KEPT_PATIENCE_SECONDS if kept else 0.0,
        predecessor_pid=predecessor_pid,
        cert_file=settings["metrics_cert_file"],
        key_file=settings["metrics_key_file"],
        bearer_token_file=settings["metrics_bearer_token_file"],
        healthy_seconds=healthy_seconds,
        multiprocess_directory=multiprocess.configured() if settings["user_metrics"] == "on" else "",
    )


def free_places() -> Iterator[Address]:
    """What `metrics = "auto"` may take: the ports, and when none is free a socket in this user's runtime folder."""
    for port in AUTO_PORTS:
        yield Address(AUTO_HOST, port)
    folder = command_socket.automatic_folder(os.geteuid(), os.environ)
    command_socket.secure_folder(folder, os.geteuid())
    command_socket.remove_stale(folder)
    yield Address(path=str(folder / f"metrics-{os.getpid()}.sock"))


def _drop_privileges(uid: int, gid: int) -> None:
    """To Gunicorn's configured user and group, when we are root and they are not.

    getaddrinfo imports this codec at its first call; the new user may not be able to read the interpreter's files.
    """
    codecs.lookup("idna")
    if os.geteuid() == 0 and (uid, gid) != (0, 0):
        os.setgroups([gid])
        os.setgid(gid)
        os.setuid(uid)
