"""Where the text of a configuration comes from, and the limits of one reading: files, characters, directives."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Protocol

from gunicorn_autotune.nginx.read.glob import is_pattern

MAX_CHARACTERS = 2 << 20
"""Of all files together, one that is included twice counted twice."""
MAX_FILES = 10_000
MAX_DIRECTIVES = 100_000
MAX_INCLUDES_DEEP = 50
"""Limits of ours: nginx has none, and a file that includes itself crashes it."""


class NginxSyntaxError(ValueError):
    """The text is no configuration; one line that begins with `file:line:`."""

    def __init__(self, file: str, line: int, what: str) -> None:
        super().__init__(f"{file}:{line}: {what}")
        self.file, self.line, self.what = file, line, what


class Source(Protocol):
    """Files by path; the command line reads a disk, `Dump` the output of `nginx -T`, a test a dict."""

    def read(self, path: str) -> str:
        """The text of a file; OSError when it cannot be read."""
        ...

    def matches(self, pattern: str) -> list[str]:
        """Paths that an `include` names, sorted; as glob(3), see glob.py: no `**`, no braces, no hidden files."""
        ...


def printable(text: str) -> str:
    """Text of a user as it may stand in a message of one line: `a\\nb` for a line feed between a and b."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a directive stands, and so where a file is asked for."""

    file: str
    line: int
    block: str
    """Name of the block around."""
    depth: int
    """How many are around."""
    chain: tuple[str, ...]
    """Files being read, outermost first."""

    def refuse(self, what: str) -> NginxSyntaxError:
        """The error that names this place."""
        return NginxSyntaxError(self.file, self.line, what)

    def enter(self, path: str) -> tuple[str, ...]:
        """The chain with one more file; raises for one that is in it already."""
        name = posixpath.normpath(path)
        if name in self.chain:
            circle = " -> ".join((*self.chain[self.chain.index(name) :], name))
            raise self.refuse(f"a file includes itself, which crashes nginx: {printable(circle)}")
        if len(self.chain) > MAX_INCLUDES_DEEP:
            raise self.refuse(f"includes within includes, more than {MAX_INCLUDES_DEEP} deep")
        return (*self.chain, name)


@dataclass(slots=True)
class Files:
    """The files of one reading, counted."""

    source: Source
    folder: str
    """With its slash, or empty: relative includes start here."""
    characters: int = 0
    count: int = 0
    directives: int = 0

    def directive(self, place: Position) -> None:
        """One more directive."""
        self.directives += 1
        if self.directives > MAX_DIRECTIVES:
            raise place.refuse(f"more than {MAX_DIRECTIVES} directives")

    def named(self, path: str, place: Position) -> list[str]:
        """The files an `include` names: exactly one, or what a pattern finds, which may be nothing."""
        path = path if path.startswith("/") else self.folder + path
        if not is_pattern(path):
            return [path]
        try:
            return self.source.matches(path)
        except (OSError, ValueError) as error:
            raise place.refuse(f'glob() "{printable(path)}" failed ({_reason(error)})') from None

    def text(self, path: str, place: Position) -> str:
        """A file's text, asked for at `place`."""
        self.count += 1
        if self.count > MAX_FILES:
            raise place.refuse(f"more than {MAX_FILES} files")
        try:
            text = self.source.read(path)
        except (OSError, ValueError) as error:
            raise place.refuse(f'open() "{printable(path)}" failed ({_reason(error)})') from None
        self.characters += len(text)
        if self.characters > MAX_CHARACTERS:
            raise place.refuse(f'with "{printable(path)}" longer than {MAX_CHARACTERS >> 20} MB in all')
        if "\0" in text:
            raise NginxSyntaxError(path, text.count("\n", 0, text.index("\0")) + 1, "a NUL byte: this is not text")
        return text


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.errno and error.strerror:
        return f"{error.errno}: {error.strerror}"
    return printable(str(error)) or type(error).__name__
