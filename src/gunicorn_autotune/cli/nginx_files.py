"""nginx's files on a disk."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from gunicorn_autotune.nginx.read.glob import is_pattern, literal, name_matches
from gunicorn_autotune.nginx.read.reader import MAX_CHARACTERS

MAX_FOUND = 10_000
"""Paths a pattern may find."""


LINKS = 40
"""As Linux: links followed one after the other."""


class Disk:
    """A Source of real files. Relative paths start at `folder`, absolute ones at `root`: a container's file system.

    Text is UTF-8, else latin-1, in which every byte is a letter: nginx knows no encoding and takes bytes.
    """

    def __init__(self, folder: Path, root: Path = Path("/")) -> None:
        self.folder, self.root = folder, root

    def read(self, path: str) -> str:
        """The text of a file, a byte order mark and carriage returns included; OSError when it cannot be read.

        As many bytes as its size tells, as nginx reads: none of a pipe or a device, which are not opened.
        """
        place = self._place(path)
        status = place.stat()
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if status.st_size > 4 * MAX_CHARACTERS:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
        if not status.st_size:
            return ""
        with open(place, "rb") as file:
            content = file.read(status.st_size)
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            return content.decode("latin-1")

    def matches(self, pattern: str) -> list[str]:
        """Paths that fit a glob, sorted; links that lead nowhere and folders too. OSError when they are too many."""
        found = [""]
        for depth, part in enumerate(pattern.split("/")):
            folders = [f"{path}/" if depth else "" for path in found]
            if is_pattern(part):
                found = [folder + name for folder in folders for name in self._names(folder, part)]
            else:
                found = [folder + literal(part) for folder in folders]
            if len(found) > MAX_FOUND:
                raise OSError(errno.E2BIG, f"more than {MAX_FOUND} paths", pattern)
        return sorted(path for path in found if os.path.lexists(self._place(path)))

    def _names(self, folder: str, part: str) -> list[str]:
        # A folder that cannot be listed holds nothing, for glob(3) too.
        try:
            return [found.name for found in self._place(folder).iterdir() if name_matches(part, found.name)]
        except OSError:
            return []

    def _place(self, path: str) -> Path:
        """Where a path is; a link to an absolute path, as Debian has in sites-enabled, stays below the root."""
        place = self.root / path.lstrip("/") if path.startswith("/") else self.folder / path
        for _ in range(LINKS):
            if self.root == Path("/") or not place.is_symlink():
                break
            place = self.root / str(place.parent / place.readlink()).removeprefix(str(self.root)).lstrip("/")
        return place
