"""Where the text of a configuration comes from."""

from __future__ import annotations

from typing import Protocol


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
