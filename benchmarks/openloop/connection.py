"""One socket of the generator, driven by the event loop's readiness callbacks."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from benchmarks.openloop.response import BadResponseError, ResponseReader
from benchmarks.openloop.results import NOT_SENT

KEPT = " on a kept connection"
"""Ends the kind of a failure without a byte of an answer, where the connection had carried answers before."""

if TYPE_CHECKING:
    from benchmarks.openloop.generator import Generator


class Connection:
    """One socket: connecting, then sending and reading one request at a time, then idle or closed."""

    __slots__ = ("generator", "index", "late", "reader", "reading", "served", "sock", "unsent", "writing")

    def __init__(self, generator: Generator) -> None:
        address = generator.target.address
        unix = isinstance(address, str)
        family = socket.AF_UNIX if unix else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.generator = generator
        self.index = -1
        self.late = 0.0
        self.served = 0
        self.reading = self.writing = False
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.setblocking(False)
        code = self.sock.connect_ex(address)
        # EAGAIN from a unix socket is no "in progress": its queue is full and nothing will come of this attempt.
        if code not in (0, errno.EINPROGRESS):
            self.sock.close()
            raise OSError(code, "connect")
        if not unix:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        generator.open.add(self)

    def begin(self, index: int, late: float) -> None:
        """Send request number `index`; over loopback the connection is there already, save when its queue is full."""
        self.index, self.late = index, late
        self.reader = ResponseReader()
        self.unsent = self.generator.message_of(index)
        self._write()

    def _write(self) -> None:
        try:
            self.unsent = self.unsent[self.sock.send(self.unsent) :]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            if error.errno != errno.ENOTCONN:  # still connecting
                self._broken(error)
                return
        if self.unsent and not self.writing:
            self.generator.loop.add_writer(self.sock, self._write)
            self.writing = True
        elif self.writing and not self.unsent:
            self.generator.loop.remove_writer(self.sock)
            self.writing = False
        if not self.unsent and not self.reading:
            self.generator.loop.add_reader(self.sock, self._read)
            self.reading = True

    def _read(self) -> None:
        try:
            data = self.sock.recv(65536)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._broken(error)
            return
        if self.index < 0:  # idle, and the server closes (or talks out of turn)
            self.close()
            return
        try:
            if data:
                self.reader.feed(data)
            else:
                self.reader.end()
        except BadResponseError:
            self.finish(None, "bad response")
            return
        if self.reader.done:
            self.finish(self.reader.status, None)
        elif not data:
            self.finish(None, "closed early")

    def _broken(self, error: OSError) -> None:
        if self.index < 0:
            self.close()
        else:
            self.finish(None, error_kind(error))

    def finish(self, status: int | None, error: str | None) -> None:
        """Record how the request ended; keep the connection if it may serve another."""
        index, self.index = self.index, -1
        generator = self.generator
        if error in ("reset", "closed early") and self.served and not self.reader.begun:
            error += KEPT
        self.served += 1
        if error is None and self.reader.reusable and len(generator.idle) < generator.keepalive:
            generator.idle.append(self)
        else:
            self.close()
        generator.record(index, self.late, status, error)

    def usable(self) -> bool:
        """Whether the server has neither closed the idle connection nor said anything on it; looked at before reuse."""
        try:
            self.sock.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            pass
        return False

    def close(self) -> None:
        """Close the socket and forget it."""
        generator = self.generator
        if self.reading:
            generator.loop.remove_reader(self.sock)
        if self.writing:
            generator.loop.remove_writer(self.sock)
        self.sock.close()
        generator.open.discard(self)
        if self in generator.idle:
            generator.idle.remove(self)


def error_kind(error: OSError) -> str:
    """A few words for the report; `not sent` when this process, not the server, lacked something."""
    kinds = {
        errno.ECONNREFUSED: "refused",
        errno.ENOENT: "no such socket",
        errno.EAGAIN: "backlog full",
        errno.ECONNRESET: "reset",
        errno.EPIPE: "reset",
        errno.EMFILE: NOT_SENT,
        errno.ENFILE: NOT_SENT,
        errno.EADDRNOTAVAIL: NOT_SENT,
    }
    return kinds.get(error.errno or 0, f"errno {errno.errorcode.get(error.errno or 0, error.errno)}")
