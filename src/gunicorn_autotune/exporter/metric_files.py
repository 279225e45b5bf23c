"""The files of prometheus_client's multiprocess mode: which are of that kind, whose they are, and which may go.

The folder belongs to the user and may hold anything. Removed are only files named exactly as the client names them,
regular, owned by the server's user, reached through no link, of processes that are gone.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress

from gunicorn_autotune.exporter import children

LIVE_MODES = ("liveall", "livemin", "livemax", "livesum", "livemostrecent")
GAUGE_MODES = (*LIVE_MODES, "all", "min", "max", "sum", "mostrecent")
NAME = re.compile(rf"(counter|histogram|summary|gauge_(?:{'|'.join(GAUGE_MODES)}))_([^_/]+)\.db", re.DOTALL)
OUR_IDENTIFIER = re.compile(r"(\d+)(?:arbiter|slot\d+|child(\d+)|process(\d+))", re.ASCII)
"""pid of the arbiter; of a process that the app forked its number, or its pid when it got none."""

REGISTRY = re.compile(r"(\d+)children", re.ASCII)


def identifier(name: str) -> str | None:
    """Whose file it is, as the client was told; None for a file of another kind."""
    match = NAME.fullmatch(name)
    return match.group(2) if match else None


def is_live_gauge(name: str) -> bool:
    """Whether the file counts only while its process lives."""
    return name.startswith("gauge_live")


class Folder:
    """The metric files of one folder, as the server that calls may touch them."""

    def __init__(self, fd: int, directory: str, users: Collection[int]) -> None:
        self._fd = fd
        self._directory = directory
        self._users = users
        self._holders: dict[int, set[int]] = {}

    def wipe(self, keep: str, ours_only: bool) -> tuple[int, int]:
        """Delete what processes that are gone have left behind: how many, and how many could not be deleted.

        `keep` is the identifier of this very process: with preload the app was imported, and has written, already.
        """
        done = failed = 0
        for name in os.listdir(self._fd):  # noqa: PTH208 (by descriptor: the path may lead elsewhere by now)
            whose = identifier(name)
            if whose is None or whose == keep or self._in_use(whose, ours_only):
                continue
            removed = self.remove(name)
            done, failed = done + (removed is True), failed + (removed is None)
        for name in filter(self._is_old_registry, os.listdir(self._fd)):  # noqa: PTH208
            self.remove(name)
        return done, failed

    def remove(self, name: str) -> bool | None:
        """True: deleted. False: not there, or not ours. None: it could not be deleted."""
        try:
            info = os.stat(name, dir_fd=self._fd, follow_symlinks=False)
            if not stat.S_ISREG(info.st_mode) or info.st_uid not in self._users:
                return False
            os.unlink(name, dir_fd=self._fd)
        except FileNotFoundError:
            return False
        except OSError:
            return None
        return True

    def _is_old_registry(self, name: str) -> bool:
        match = REGISTRY.fullmatch(name)
        if match is None:
            return False
        arbiter = int(match.group(1))
        return not children.is_alive(arbiter) and not self._held(arbiter)

    def _in_use(self, whose: str, ours_only: bool) -> bool:
        match = OUR_IDENTIFIER.fullmatch(whose)
        if match is None:
            # A pid, as the client names files by itself; or an identifier of somebody else's own.
            return ours_only or not (whose.isascii() and whose.isdecimal()) or children.is_alive(int(whose))
        arbiter, number, process = int(match.group(1)), match.group(2), match.group(3)
        if arbiter != os.getpid() and children.is_alive(arbiter):
            return True
        if process is not None:
            return children.is_alive(int(process))
        return number is not None and int(number) in self._held(arbiter)

    def _held(self, arbiter: int) -> set[int]:
        if arbiter not in self._holders:
            self._holders[arbiter] = children.holders(self._directory, arbiter)
        return self._holders[arbiter]


@contextmanager
def opened(directory: str, users: Collection[int]) -> Iterator[Folder]:
    """The folder, held open so that nobody can put another in its place. OSError when it may not be touched.

    `users` are the server's: the one it runs as, and that of its workers. As root the folder must be theirs and no
    link, or who may rename it would choose which files root deletes.
    """
    privileged = os.geteuid() == 0
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (os.O_NOFOLLOW if privileged else 0))
    try:
        if privileged and os.fstat(fd).st_uid not in users:
            raise PermissionError("the folder belongs to another user")
        yield Folder(fd, directory, users)
    finally:
        os.close(fd)


def wipe(
    directory: str, users: Collection[int], tell: Callable[[str], None], keep: str = "", ours_only: bool = False
) -> int:
    """Delete the metric files of an earlier run; how many. What stays though it should not is told. Never raises.

    Not on HUP, not in a USR2 twin. `ours_only`: files that the client has named by pid stay.
    """
    try:
        with opened(directory, users) as folder:
            done, failed = folder.wipe(keep, ours_only)
    except FileNotFoundError:
        return 0
    except OSError as error:
        tell(f"metric files of an earlier run stay directory={directory!a} error={error.strerror or error}")
        return 0
    if failed:
        tell(f"metric files of an earlier run could not be deleted directory={directory!a} files={failed}")
    return done


def mark_dead(directory: str, whose: str, users: Collection[int]) -> None:
    """Delete the live gauges of a process that is gone, before its name is given out again."""
    with suppress(OSError), opened(directory, users) as folder:
        for mode in LIVE_MODES:
            folder.remove(f"gauge_{mode}_{whose}.db")
