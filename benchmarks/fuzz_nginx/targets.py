"""What is fed. A target takes the files and says how they were judged; whatever it raises is a fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.fuzz_nginx.inputs import MAIN, Files

from gunicorn_autotune.nginx.dump import Dump
from gunicorn_autotune.nginx.glob import path_matches
from gunicorn_autotune.nginx.parse import parse
from gunicorn_autotune.nginx.source import NginxSyntaxError

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
    try:
        parse(Texts(files), MAIN)
    except NginxSyntaxError:
        return "refused"
    return "accepted"


def read_dump(files: Files) -> str:
    """The parser on what `nginx -T` would print, which must come to the same where no file looks like a dump itself."""
    texts = Texts(files)
    try:
        tree = parse(texts, MAIN)
    except NginxSyntaxError:
        tree = None
    try:
        dump = Dump("".join(f"# configuration file {path}:\n{text}\n" for path, text in texts.reached.items()))
        dumped = parse(dump, dump.main)
    except NginxSyntaxError:
        dumped = None
    alike = any("# configuration file" in text or "nginx: " in text for text in texts.reached.values())
    assert alike or dumped == tree, "nginx -T comes to another tree than the files"
    return "accepted" if dumped else "refused"


TARGETS: dict[str, Target] = {"files": read_files, "dump": read_dump}
"""By name, for --target."""
