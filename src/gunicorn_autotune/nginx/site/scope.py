"""What is in force in a block: nginx inherits from the blocks around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gunicorn_autotune.nginx.read.quantity import seconds, size_bytes
from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.site import defaults


@dataclass(frozen=True, slots=True)
class Value:
    """An effective value and where it comes from."""

    name: str
    args: tuple[str, ...]
    """() where the directive is absent and nginx has no default for it."""
    origin: str
    """`/etc/nginx/nginx.conf:12`, `default of nginx 1.22.1`."""
    directive: Directive | None = None
    """None for a default."""

    @property
    def text(self) -> str:
        """The arguments as one text; empty when there are none."""
        return " ".join(self.args)

    @property
    def seconds(self) -> float | None:
        """The arguments as a time; None where they are not one."""
        return seconds(self.text)

    @property
    def size_bytes(self) -> int | None:
        """The last argument as a size; None where it is not one."""
        return size_bytes(self.args[-1]) if self.args else None

    def __str__(self) -> str:
        return f"{' '.join((self.name, *self.args))} ({self.origin})"


@dataclass(frozen=True, slots=True)
class Scope:
    """A block and the blocks around it, `main` first."""

    blocks: tuple[Directive, ...]
    version: str
    """Of nginx: it decides the defaults."""

    @property
    def here(self) -> Directive:
        """The innermost block."""
        return self.blocks[-1]

    @property
    def server(self) -> Scope | None:
        """The `server` block this lies in."""
        return self.outwards("server")

    def outwards(self, name: str) -> Scope | None:
        """The nearest block of this name, itself included."""
        for depth in range(len(self.blocks), 0, -1):
            if self.blocks[depth - 1].name == name:
                return Scope(self.blocks[:depth], self.version)
        return None

    def inner(self, block: Directive) -> Scope:
        """The scope of a block directly within."""
        return Scope((*self.blocks, block), self.version)

    def value(self, name: str) -> Value:
        """The nearest directive of this name, else nginx's default."""
        found = self.all(name)
        if found:
            return Value(name, found[-1].args, found[-1].place, found[-1])
        return Value(name, defaults.of(name, self.version), f"default of nginx {self.version}")

    def all(self, name: str) -> list[Directive]:
        """Directives of this name at the nearest level that has any.

        One `proxy_set_header` or `add_header` in an inner block hides all of the outer ones (ngx_conf_merge_ptr_value).
        """
        return next(iter(self.levels(name)), [])

    def levels(self, name: str) -> list[list[Directive]]:
        """The levels that have such directives, the innermost first: the first is in force, the others are lost."""
        return [found for block in reversed(self.blocks) if (found := block.children(name))]

    def header(self, name: str) -> Value | None:
        """What `proxy_set_header NAME` sends to the app; None where nothing of the kind is set."""
        for one in reversed(self.all("proxy_set_header")):
            if len(one.args) == 2 and one.args[0].lower() == name.lower():
                return Value("proxy_set_header", one.args, one.place, one)
        return None


def scopes(root: Directive, version: str, names: frozenset[str] | None = None) -> Iterator[Scope]:
    """Every block's scope, outer before inner; only blocks of these names when some are given."""
    return within(Scope((root,), version), names)


def within(outer: Scope, names: frozenset[str] | None = None) -> Iterator[Scope]:
    """A block's own scope and those of all blocks in it, as `scopes`.

    With a stack, not by recursion: a configuration may be as deep as the parser lets it.
    """
    waiting = [outer]
    while waiting:
        scope = waiting.pop()
        if names is None or scope.here.name in names:
            yield scope
        blocks = [child for child in scope.here.block or () if child.block is not None]
        waiting += [scope.inner(block) for block in reversed(blocks)]
