"""Where an operator would change a value: the line that is in force, or the location it would be added to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gunicorn_autotune.nginx import edits
from gunicorn_autotune.nginx.routes import Route
from gunicorn_autotune.nginx.scope import Scope, Value
from gunicorn_autotune.nginx.tree import Directive


@dataclass(frozen=True, slots=True)
class Place:
    """One value and the routes in which it is in force."""

    value: Value
    routes: tuple[Route, ...]

    @property
    def directive(self) -> Directive:
        """Where a finding points to."""
        return self.value.directive or self.routes[0].proxy_pass

    def written(self, text: str) -> edits.Edits:
        """`text` in the place of the line in force, else in every location that has nginx's default."""
        if self.value.directive is not None:
            return edits.replaced(self.value.directive, text)
        return added((location(route.scope), text) for route in self.routes)


def places(routes: Iterable[Route], name: str) -> list[Place]:
    """The values of a directive, by the line that sets them; routes on nginx's default by their server."""
    found: dict[tuple[bool, int], tuple[Value, list[Route]]] = {}
    for route in routes:
        value = route.scope.value(name)
        server = route.scope.server or route.scope
        key = (value.directive is None, id(value.directive or server.here))
        found.setdefault(key, (value, []))[1].append(route)
    return [Place(value, tuple(routes)) for value, routes in found.values()]


def location(scope: Scope) -> Directive:
    """The location around: `if` and `limit_except` take no settings but proxy_pass."""
    around = scope.outwards("location")
    return (around or scope).here


def headers_block(scope: Scope) -> Directive:
    """Where another `proxy_set_header` hides none: beside those in force."""
    beside = (block for block in reversed(scope.blocks) if block.children("proxy_set_header"))
    return next(beside, location(scope))


def added(lines: Iterable[tuple[Directive, str]]) -> edits.Edits:
    """Lines at the end of blocks, each once; those of one block together, as a block in one line takes one edit."""
    blocks: dict[int, tuple[Directive, dict[str, None]]] = {}
    for block, text in lines:
        blocks.setdefault(id(block), (block, {}))[1][text] = None
    return tuple(edit for block, texts in blocks.values() for edit in edits.added_in(block, "\n".join(texts)))


def general(route: Route) -> bool:
    """Whether the location is the one for everything, `location /`."""
    return location(route.scope).args in (("/",), ("^~", "/"))


def upgrades(route: Route) -> bool:
    """Whether websockets pass here."""
    return route.scope.header("Upgrade") is not None


def long_lived(route: Route) -> bool:
    """Whether the location looks made for answers that last: websockets, or a stream in a location of its own."""
    return upgrades(route) or (not general(route) and route.scope.value("proxy_buffering").text == "off")
