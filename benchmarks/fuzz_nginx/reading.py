"""Texts as a Source, and a reading that refuses without raising."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.fuzz_nginx.inputs import Files

from gunicorn_autotune.nginx.read.glob import path_matches
from gunicorn_autotune.nginx.read.parse import parse
from gunicorn_autotune.nginx.read.reader import NginxSyntaxError, Source
from gunicorn_autotune.nginx.read.tree import Directive

COMPARED_CHARACTERS = 1 << 17
"""Longer files are read once: the time is that of one reading."""


@dataclass(frozen=True)
class Texts:
    """A Source of texts that remembers what was read, in order."""

    files: Files
    reached: Files = field(default_factory=dict)

    def read(self, path: str) -> str:
        """As a disk."""
        if path not in self.files:
            raise FileNotFoundError(2, "No such file or directory", path)
        return self.reached.setdefault(path, self.files[path])

    def matches(self, pattern: str) -> list[str]:
        """As a disk."""
        return sorted(path for path in self.files if path_matches(pattern, path))


def read(source: Source, path: str) -> Directive | None:
    """The tree, or None for a refusal."""
    try:
        return parse(source, path)
    except NginxSyntaxError:
        return None
