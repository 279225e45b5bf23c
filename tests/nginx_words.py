"""Sources of text for tests, and trees as tuples."""

from __future__ import annotations

from dataclasses import dataclass, field

from gunicorn_autotune.nginx.read.glob import path_matches
from gunicorn_autotune.nginx.read.parse import parse
from gunicorn_autotune.nginx.read.tree import Directive


@dataclass
class Texts:
    """Files in a dict."""

    files: dict[str, str] = field(default_factory=dict)

    def read(self, path: str) -> str:
        """The text, or what a disk would raise."""
        if path not in self.files:
            raise FileNotFoundError(2, "No such file or directory", path)
        return self.files[path]

    def matches(self, pattern: str) -> list[str]:
        """Paths that fit, sorted."""
        return sorted(path for path in self.files if path_matches(pattern, path))


def parsed(text: str, **files: str) -> Directive:
    """The tree of a `nginx.conf` of this text; other files by name, `_conf` standing for `.conf`."""
    named = {name.replace("_conf", ".conf"): other for name, other in files.items()}
    return parse(Texts({"nginx.conf": text} | named), "nginx.conf")


def printed(directive: Directive) -> str:
    """The text of what is in a block, every word quoted, what was included in the place of its `include`."""
    lines = []
    for child in directive.block or ():
        if child.name == "include":
            continue
        words = " ".join(f'"{word}"' for word in map(escaped, (child.name, *child.args)))
        lines.append(f"{words};\n" if child.block is None else f"{words} {{\n{printed(child)}}}\n")
    return "".join(lines)


def escaped(word: str) -> str:
    """A word as it stands between double quotes."""
    return word.replace("\\", "\\\\").replace('"', '\\"')


def shape(directive: Directive) -> tuple[object, ...]:
    """Names, words and blocks, without places and `include`s."""
    block = None if directive.block is None else tuple(shape(one) for one in directive.block if one.name != "include")
    return directive.name, directive.args, block
