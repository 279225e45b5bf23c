"""What is fed. A target takes the files and says how they were judged; whatever it raises is a fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.fuzz_nginx.inputs import MAIN, Files

from gunicorn_autotune.nginx.dump import Dump
from gunicorn_autotune.nginx.glob import path_matches
from gunicorn_autotune.nginx.parse import parse
from gunicorn_autotune.nginx.source import NginxSyntaxError, Source
from gunicorn_autotune.nginx.tree import Directive

COMPARED_CHARACTERS = 1 << 17
"""Longer files are read once: the time is that of one reading."""

Target = Callable[[Files], str]


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


def read_files(files: Files) -> str:
    """The parser on files."""
    return "accepted" if read(Texts(files), MAIN) else "refused"


def read_dump(files: Files) -> str:
    """The parser on what `nginx -T` would print, which must come to the same where no file looks like a dump itself."""
    texts = Texts(files)
    huge = len(files[MAIN]) > COMPARED_CHARACTERS
    tree = None if huge else read(texts, MAIN)
    printed = files if huge else texts.reached
    try:
        dump = Dump("".join(f"# configuration file {path}:\n{text}\n" for path, text in printed.items()))
    except NginxSyntaxError:
        dumped = None
    else:
        dumped = read(dump, dump.main)
    alike = huge or any("# configuration file" in text or "nginx: " in text for text in printed.values())
    assert alike or dumped == tree, "nginx -T comes to another tree than the files"
    return "accepted" if dumped else "refused"


def read(source: Source, path: str) -> Directive | None:
    """The tree, or None for a refusal."""
    try:
        return parse(source, path)
    except NginxSyntaxError:
        return None


TARGETS: dict[str, Target] = {"files": read_files, "dump": read_dump}
"""By name, for --target."""
