"""The configuration to check: by `nginx -T`, from files, or from what it printed on another host."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from gunicorn_autotune.cli.nginx_binary import NO_ANSWER, nginx_dump
from gunicorn_autotune.cli.nginx_files import Disk
from gunicorn_autotune.cli.style import CommandError
from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.nginx.read.dump import Dump
from gunicorn_autotune.nginx.read.parse import parse
from gunicorn_autotune.nginx.read.reader import MAX_CHARACTERS, NginxSyntaxError, Source, printable
from gunicorn_autotune.nginx.read.tree import Directive

MOST_BYTES = 4 * (2 * MAX_CHARACTERS + 1)
"""Of a dump, with one character more than Dump takes."""


@dataclass(frozen=True, slots=True)
class Input:
    """A configuration that could be read."""

    root: Directive
    source: Source
    read_by: str
    """`nginx -T`, `files` or the name of the dump."""
    remark: str = ""
    """Why `nginx -T` was not used although nginx is here."""

    @property
    def files(self) -> list[str]:
        """The main file first, then what it includes."""
        return list(dict.fromkeys([self.root.file, *(one.file for one in self.root.walk())]))

    @property
    def nginx_hangs(self) -> bool:
        """Whether `nginx -T` was given up, so that `nginx -t` would be too."""
        return NO_ANSWER in self.remark

    def texts(self) -> dict[str, str]:
        """Every file's text by path."""
        return {path: self.source.read(path) for path in self.files}


def read_input(path: str, dump: str | None, binary: str | None) -> Input:
    """Parse what there is; a CommandError that names file and line where it is no configuration."""
    if dump:
        return _dumped(_text_of(dump), "standard input" if dump == "-" else dump)
    if not Path(path).is_file():
        raise CommandError(f"{printable(path)}: unreadable: no such file; nginx's main configuration file is meant")
    # As nginx would: what it includes lies beside the file, wherever we were started.
    path = os.path.abspath(path)  # noqa: PTH100 (Path.resolve() would follow links)
    printed = nginx_dump(binary, path) if binary else Missing("")
    if isinstance(printed, Missing):
        remark = f"`nginx -T`: {printed.why}" if printed.why else ""
        return _parsed(Disk(Path(path).parent), path, "files", remark)
    return _dumped(printed, "nginx -T")


def _text_of(dump: str) -> str:
    if dump == "-" and sys.stdin is None:
        raise CommandError("--dump = '-': unreadable: standard input is closed")
    try:
        # Bounded: it may be a device that never ends. Too long is Dump's to refuse.
        with sys.stdin.buffer if dump == "-" else open(dump, "rb") as file:
            raw = file.read(MOST_BYTES)
    except (OSError, ValueError) as error:
        raise CommandError(f"--dump = {dump!r}: unreadable: {getattr(error, 'strerror', error)}") from None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _dumped(text: str, name: str) -> Input:
    try:
        source = Dump(text)
    except NginxSyntaxError as error:
        raise CommandError(f"{printable(name)}:{error.line}: {error.what} (unreadable, nothing was checked)") from None
    return _parsed(source, source.main, name, "")


def _parsed(source: Source, path: str, read_by: str, remark: str) -> Input:
    try:
        return Input(parse(source, path), source, read_by, remark)
    except NginxSyntaxError as error:
        raise CommandError(f"{error} (unreadable, nothing was checked)") from None
