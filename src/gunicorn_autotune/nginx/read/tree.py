"""A configuration as nginx reads it: directives, each with the file and line it came from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

MAIN = "main"
"""Name of the block around everything; nginx calls the context so."""


@dataclass(frozen=True, slots=True)
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
    _named: dict[str, list[Directive]] = field(default_factory=dict, init=False, compare=False, repr=False)
    """Children by name, made when first asked: rules ask the `http` block of a thousand servers a thousand times."""

    @property
    def text(self) -> str:
        """`keepalive 32`."""
        return " ".join((self.name, *self.args))

    @property
    def place(self) -> str:
        """`/etc/nginx/nginx.conf:12`."""
        return f"{self.file}:{self.line}"

    @property
    def shown(self) -> str:
        """`keepalive 32 (/etc/nginx/nginx.conf:12)`, as a scope.Value prints itself."""
        return f"{self.text} ({self.place})"

    def children(self, name: str) -> list[Directive]:
        """The directives of this name directly in its block."""
        if not self._named:
            for child in self.block or ():
                self._named.setdefault(child.name, []).append(child)
        return list(self._named.get(name, ()))

    def child(self, name: str) -> Directive | None:
        """The last directive of this name directly in its block."""
        found = self.children(name)
        return found[-1] if found else None

    def walk(self) -> Iterator[Directive]:
        """Every directive below, in the order of the text."""
        for child in self.block or ():
            yield child
            yield from child.walk()
