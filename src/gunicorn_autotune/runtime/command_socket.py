"""The command socket: a datagram socket of the arbiter, 0600, read once a tick.

No thread, no connection and no wait: the kernel's buffer bounds what is queued, MOST_AT_ONCE what one tick takes. Where
it cannot be made safely there is none, and Gunicorn serves on.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import socket as socket_module
import stat
import struct
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from socket import AF_UNIX, SOCK_DGRAM, SOL_SOCKET, socket  # bound before a preloaded app may let gevent patch it
from typing import Any

from gunicorn_autotune.exporter.children import is_alive
from gunicorn_autotune.model.commands import LONGEST_BYTES

OFF, AUTO = "off", "auto"
MOST_AT_ONCE = 16
LOOK_SECONDS = 5.0
"""How often a path that was taken is tried again, and one of ours looked after."""
OWN_NAME = re.compile(r"(?:metrics-)?([0-9]{1,9})\.sock")
"""`metrics-PID.sock` is an exporter's that found no free port."""
CREDENTIALS = struct.Struct("=iII")
"""struct ucred of unix(7): pid, uid, gid."""
# Linux alone has them; elsewhere the mode of the file is the only guard.
SO_PASSCRED: int | None = getattr(socket_module, "SO_PASSCRED", None)
SCM_CREDENTIALS: int | None = getattr(socket_module, "SCM_CREDENTIALS", None)
# Room for the credentials and nothing else: descriptors that come with a datagram are dropped by the kernel.
ANCILLARY_BYTES = socket_module.CMSG_SPACE(CREDENTIALS.size) if SO_PASSCRED else 0


@dataclass(frozen=True, slots=True)
class Datagram:
    """What came in, and from whom as far as the kernel tells."""

    data: bytes
    sender: Any
    """Address to answer to; None or empty when it has none."""
    uid: int | None = None
    pid: int | None = None


class CommandSocket:
    """Where commands come in; closed until `tend` is called with a setting that wants it open."""

    def __init__(self) -> None:
        self.setting = OFF
        self.path = ""
        """Where it listens; empty while it does not."""
        self._socket: socket | None = None
        self._made: os.stat_result | None = None
        self._made_by = 0
        self._next_look = 0.0
        self._told = ""

    def tend(self, setting: str, now: float, tell: Callable[[str, str], None]) -> None:
        """Listen where `setting` says; a path that is taken, or a file that vanished, is tried again after a while.

        `tell` gets a path and an error, empty when it listens; the same one only once.
        """
        if setting != self.setting:
            self.close()
            self.setting, self._next_look, self._told = setting, now, ""
        if setting == OFF or now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        if self._socket is not None and not self._in_place():
            self.forget()
        if self._socket is None:
            self._open(tell)

    def receive(self) -> Iterator[Datagram]:
        """What waits, MOST_AT_ONCE at most."""
        for _ in range(MOST_AT_ONCE):
            if self._socket is None:
                return
            try:
                data, ancillary, _, sender = self._socket.recvmsg(LONGEST_BYTES + 1, ANCILLARY_BYTES)
            except BlockingIOError:
                return
            yield Datagram(data, sender, *_credentials(ancillary))

    def answer(self, sender: Any, reply: Mapping[str, Any]) -> None:
        """One datagram back; a client that is gone or does not listen is its own trouble."""
        if self._socket is not None and sender:
            with contextlib.suppress(OSError):
                self._socket.sendto(json.dumps(reply).encode(), sender)

    def close(self) -> None:
        """Listen no more and remove the file, if it is ours and this is the process that made it."""
        if self._socket is not None and self._made_by == os.getpid() and self._in_place():
            with contextlib.suppress(OSError):
                Path(self.path).unlink()
        self.forget()

    def forget(self) -> None:
        """Close the descriptor and leave the file alone, as a forked worker must."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self.path = None, ""

    def _open(self, tell: Callable[[str, str], None]) -> None:
        path = ""
        try:
            path = self.setting if self.setting != AUTO else _automatic_path()
            self._socket = listen(path)
            self.path, self._made, self._made_by, why = path, os.lstat(path), os.getpid(), ""
        except OSError as error:
            why = error.strerror or str(error)
            path = str(error.filename or path or self.setting)
        if (told := f"{path}: {why}") != self._told:
            self._told = told
            tell(path, why)

    def _in_place(self) -> bool:
        try:
            return self._made is not None and os.path.samestat(os.lstat(self.path), self._made)
        except OSError:
            return False


def _automatic_path() -> str:
    """A path for this process, in a folder that is ours alone; sockets of dead arbiters there are removed."""
    folder = automatic_folder(os.geteuid(), os.environ)
    secure_folder(folder, os.geteuid())
    remove_stale(folder)
    return str(folder / f"{os.getpid()}.sock")


def automatic_folder(uid: int, environment: Mapping[str, str], run: Path = Path("/run")) -> Path:
    """Where sockets of this user belong; root's never in a folder that another user's session owns.

    A service's own folder (RuntimeDirectory= of its unit) comes before /tmp, which PrivateTmp= hides from all others.
    """
    session = run if uid == 0 else Path(environment.get("XDG_RUNTIME_DIR") or "-")
    service = Path(environment.get("RUNTIME_DIRECTORY", "").partition(":")[0] or "-")
    if _usable(session):
        return session / "gunicorn-autotune"
    if _usable(service) and _only_of(service, uid):
        return service / "gunicorn-autotune"
    return Path(tempfile.gettempdir()) / f"gunicorn-autotune-{uid}"


def _usable(folder: Path) -> bool:
    return folder.is_absolute() and folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _only_of(folder: Path, uid: int) -> bool:
    found = folder.stat()
    return found.st_uid == uid and not found.st_mode & 0o022


def secure_folder(folder: Path, uid: int) -> None:
    """Make it, 0700, or check that nobody but `uid` can put a file there; PermissionError says what is wrong."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(0o700)
    found = folder.lstat()
    if stat.S_ISLNK(found.st_mode):
        why = "is a symlink"
    elif not stat.S_ISDIR(found.st_mode):
        why = "is no folder"
    elif found.st_uid != uid:
        why = f"belongs to uid {found.st_uid}"
    elif found.st_mode & 0o022:
        why = f"can be written by others (mode {stat.S_IMODE(found.st_mode):o})"
    else:
        return
    raise PermissionError(errno.EACCES, why, str(folder))


def remove_stale(folder: Path) -> None:
    """Remove the sockets of arbiters that are gone."""
    for path in folder.iterdir():
        match = OWN_NAME.fullmatch(path.name)
        if match and not is_alive(int(match[1])):
            with contextlib.suppress(OSError):
                make_way(str(path))


def make_way(path: str) -> None:
    """Remove a socket file that nobody reads from; an OSError when somebody does, or when it is no socket."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise FileExistsError(errno.EEXIST, "is there and no socket", path)
    with socket(AF_UNIX, SOCK_DGRAM) as probe:
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            Path(path).unlink(missing_ok=True)
            return
        except OSError:
            pass
    raise OSError(errno.EADDRINUSE, "another server listens there", path)


def listen(path: str) -> socket:
    """A non-blocking socket bound at `path`, for its owner only from the first moment on."""
    make_way(path)
    fresh = socket(AF_UNIX, SOCK_DGRAM)
    try:
        fresh.setblocking(False)
        if SO_PASSCRED is not None:
            fresh.setsockopt(SOL_SOCKET, SO_PASSCRED, 1)
        _bind_private(fresh, path)
    except BaseException:
        fresh.close()
        raise
    return fresh


def _bind_private(fresh: socket, path: str) -> None:
    # Linux: the file takes the mode of the socket (unix_bind). Elsewhere fchmod refuses sockets, and the umask does it;
    # it belongs to the whole process, so it is the second choice.
    before = None
    try:
        os.fchmod(fresh.fileno(), 0o600)
    except OSError:
        before = os.umask(0o177)
    try:
        fresh.bind(path)
    finally:
        if before is not None:
            os.umask(before)


def _credentials(ancillary: list[tuple[int, int, bytes]]) -> tuple[int | None, int | None]:
    """uid and pid of the sender, None where the kernel does not tell."""
    for level, kind, data in ancillary:
        if (level, kind) == (SOL_SOCKET, SCM_CREDENTIALS) and len(data) >= CREDENTIALS.size:
            pid, uid, _ = CREDENTIALS.unpack_from(data)
            return uid, pid
    return None, None
