"""A configuration as nginx reads it: directives, each with the file and line it came from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

MAIN = "main"
"""Name of the block around everything; nginx calls the context so."""


@dataclass(frozen=True)
class Directive:
    """One directive. Included ones stand where the `include` stood, after it."""

    name: str
    args: tuple[str, ...]
    """Without quotes; `if ($a = b)` keeps its parentheses as part of the words."""
    file: str
    line: int
    """Of its name."""
    last_line: int
    """Of its `;` or closing brace."""
    block: tuple[Directive, ...] | None = None
    """None for a simple directive; `()` for an empty block."""
    ignored: frozenset[str] = frozenset()
    """Rules that a `# autotune: ignore NGX203` on its line switches off here."""

    @property
    def text(self) -> str:
        """`keepalive 32`."""
        return " ".join((self.name, *self.args))

    @property
    def place(self) -> str:
        """`/etc/nginx/nginx.conf:12`."""
        return f"{self.file}:{self.line}"

    def children(self, name: str) -> list[Directive]:
        """The directives of this name directly in its block."""
        return list(self._named.get(name, ()))

    def child(self, name: str) -> Directive | None:
        """The last directive of this name directly in its block."""
        found = self._named.get(name)
        return found[-1] if found else None

    @cached_property
    def _named(self) -> dict[str, list[Directive]]:
        """A server with thousands of locations is asked for each of them."""
        named: dict[str, list[Directive]] = {}
        for child in self.block or ():
            named.setdefault(child.name, []).append(child)
        return named

    def walk(self) -> Iterator[Directive]:
        """Every directive below, in the order of the text."""
        for child in self.block or ():
            yield child
            yield from child.walk()
