"""Accept queues of listening sockets from the kernel's sock_diag over netlink, unprivileged: what `ss -l` reads.

Kernel: sock_diag(7), include/uapi/linux/unix_diag.h and inet_diag.h. A socket is opened for each question: that costs
4 us, and nothing is left over to be shared by accident after a fork.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Iterator
from typing import NamedTuple

from gunicorn_autotune.model.readings import Missing, Reading

NO_NETLINK = "AF_NETLINK is not allowed here (RestrictAddressFamilies= in the unit)"
_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_NLM_F_REQUEST = 0x001
_NLM_F_DUMP = 0x300
_UDIAG_SHOW_RQLEN = 0x10
_UNIX_DIAG_RQLEN = 4
_TCP_LISTEN = 10
_ANY_STATE = 0xFFFFFFFF
_NO_COOKIE = 0xFFFFFFFF
_REPLY_BYTES = 65536
_MOST_REPLIES = 4096

_HEADER = struct.Struct("=IHHII")
_UNIX_REQUEST = struct.Struct("=BBHIIIII")
_UNIX_FIXED_BYTES = 16
_INET_REQUEST = struct.Struct("=BBBxI")
_INET_FIXED_BYTES = 72


class Queue(NamedTuple):
    """One listening socket's accept queue, in connections."""

    backlog: int
    limit: int


class Listener(NamedTuple):
    """One TCP socket in state LISTEN."""

    host: bytes
    """4 or 16 bytes, network order."""
    port: int
    queue: Queue


class RefusedError(OSError):
    """The kernel answered with an error, or with something that is no answer."""


def read_unix_queue(inode: int) -> Reading[Queue]:
    """The queue of the UNIX listener with this inode (from fstat), which must live in our network namespace."""
    try:
        for kind, body in _ask(unix_request(inode)):
            if kind == _SOCK_DIAG_BY_FAMILY:
                return parse_unix_queue(body) or Missing(f"sock_diag: no queue length for unix inode {inode}")
    except OSError as error:
        # ENOENT: kernel without unix_diag, or a socket made in another network namespace.
        return Missing(f"sock_diag for unix inode {inode}: {error.strerror or error}")
    return Missing(f"sock_diag for unix inode {inode}: no answer")


def read_tcp_listeners(family: int, port: int) -> Reading[tuple[Listener, ...]]:
    """All listening TCP sockets of `port` in our network namespace, whoever owns them; costs about 40 us."""
    try:
        answers = [
            parse_tcp_listener(body) for kind, body in _ask(tcp_request(family, port)) if kind == _SOCK_DIAG_BY_FAMILY
        ]
    except OSError as error:
        return Missing(f"sock_diag for tcp port {port}: {error.strerror or error}")
    return tuple(answer for answer in answers if answer is not None and answer.port == port)


def unix_request(inode: int) -> bytes:
    """struct unix_diag_req for one socket, any state, asking for the queue length only."""
    body = _UNIX_REQUEST.pack(
        socket.AF_UNIX, 0, 0, _ANY_STATE, inode & 0xFFFFFFFF, _UDIAG_SHOW_RQLEN, _NO_COOKIE, _NO_COOKIE
    )
    return _message(_NLM_F_REQUEST, body)


def tcp_request(family: int, port: int) -> bytes:
    """struct inet_diag_req_v2 for all sockets in state LISTEN with this source port."""
    addresses_and_interface = bytes(36)
    body = (
        _INET_REQUEST.pack(family, socket.IPPROTO_TCP, 0, 1 << _TCP_LISTEN)
        + struct.pack(">HH", port, 0)
        + addresses_and_interface
        + struct.pack("=II", _NO_COOKIE, _NO_COOKIE)
    )
    return _message(_NLM_F_REQUEST | _NLM_F_DUMP, body)


def parse_messages(reply: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and body of each netlink message in one datagram; stops at the first that does not fit."""
    at = 0
    while at + _HEADER.size <= len(reply):
        length, kind, *_ = _HEADER.unpack_from(reply, at)
        if length < _HEADER.size or at + length > len(reply):
            return
        yield kind, reply[at + _HEADER.size : at + length]
        at += (length + 3) & ~3


def parse_unix_queue(body: bytes) -> Queue | None:
    """UNIX_DIAG_RQLEN of a struct unix_diag_msg; for a listener: connections waiting, and the most that may."""
    at = _UNIX_FIXED_BYTES
    while at + 4 <= len(body):
        length, kind = struct.unpack_from("=HH", body, at)
        if length < 4:
            return None
        if kind == _UNIX_DIAG_RQLEN and length >= 12 and at + 12 <= len(body):
            return Queue(*struct.unpack_from("=II", body, at + 4))
        at += (length + 3) & ~3
    return None


def parse_tcp_listener(body: bytes) -> Listener | None:
    """struct inet_diag_msg: for a listener idiag_rqueue is the accept queue and idiag_wqueue its limit."""
    if len(body) < _INET_FIXED_BYTES or body[1] != _TCP_LISTEN:
        return None
    (port,) = struct.unpack_from(">H", body, 4)
    host = body[8:12] if body[0] == socket.AF_INET else body[8:24]
    return Listener(host, port, Queue(*struct.unpack_from("=II", body, 56)))


def _message(flags: int, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, flags, 1, 0) + body


def _ask(request: bytes) -> Iterator[tuple[int, bytes]]:
    """The kernel's messages up to the end of its answer; raises OSError for a refusal."""
    if not sys.platform.startswith("linux"):
        raise RefusedError("only Linux has it")
    single = not _HEADER.unpack_from(request)[2] & _NLM_F_DUMP
    with _netlink() as netlink:
        # The kernel answers inside send(): there is never anything to wait for, and a tick must not wait.
        netlink.setblocking(False)
        netlink.send(request)
        for _ in range(_MOST_REPLIES):
            for kind, body in parse_messages(netlink.recv(_REPLY_BYTES)):
                if kind == _NLMSG_ERROR:
                    raise _refusal(body)
                if kind == _NLMSG_DONE:
                    return
                yield kind, body
            if single:
                return


def _netlink() -> socket.socket:
    try:
        return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG)
    except OSError as error:
        if error.errno != errno.EAFNOSUPPORT:
            raise
        # What systemd's filter answers; a kernel without netlink does too, and there is none in use.
        raise RefusedError(NO_NETLINK) from error


def _refusal(body: bytes) -> OSError:
    if len(body) < 4:
        return RefusedError("error without a number")
    (negative_errno,) = struct.unpack_from("=i", body)
    return OSError(-negative_errno, os.strerror(-negative_errno))
