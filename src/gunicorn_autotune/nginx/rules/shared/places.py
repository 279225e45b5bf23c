"""Where an operator would change a value: the line that is in force, or the location it would be added to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.site.routes import Route
from gunicorn_autotune.nginx.site.scope import Scope, Value
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits


@dataclass(frozen=True, slots=True)
class Place:
    """One value and the routes in which it is in force."""

    value: Value
    routes: tuple[Route, ...]
    alone: bool
    """Whether no other route has this very value from there."""

    @property
    def directive(self) -> Directive:
        """Where a finding points to."""
        return self.value.directive or self.routes[0].proxy_pass

    def written(self, text: str) -> edits.Edits:
        """`text` in the place of the line in force; else in the server, or in the locations where others share it."""
        if self.value.directive is not None:
            return edits.replaced(self.value.directive, text)
        server = self.routes[0].scope.server
        if server is not None and self.alone:
            return added([(server.here, text)])
        return added((location(route.scope), text) for route in self.routes)


def places(site: Site, name: str, routes: Iterable[Route] | None = None) -> list[Place]:
    """The values of a directive, by the line that sets them, a default by its server; of Gunicorn's routes, or some."""
    everywhere = Counter(_key(route, name) for route in site.every_route)
    found: dict[tuple[bool, int], list[Route]] = {}
    for route in site.routes if routes is None else routes:
        found.setdefault(_key(route, name), []).append(route)
    return [Place(own[0].scope.value(name), tuple(own), everywhere[key] == len(own)) for key, own in found.items()]


def _key(route: Route, name: str) -> tuple[bool, int]:
    value, server = route.scope.value(name), route.scope.server or route.scope
    return value.directive is None, id(value.directive or server.here)


def location(scope: Scope) -> Directive:
    """The location around: `if` and `limit_except` take no settings but proxy_pass."""
    around = scope.outwards("location")
    return (around or scope).here


def added(lines: Iterable[tuple[Directive, str]]) -> edits.Edits:
    """Lines at the end of blocks, one edit each, so that two rules that want the same line ask for one edit.

    Only a block in one line has to be written anew with all of its lines at once.
    """
    blocks: dict[int, tuple[Directive, dict[str, None]]] = {}
    for block, text in lines:
        blocks.setdefault(id(block), (block, {}))[1].update(dict.fromkeys(text.splitlines()))
    made: edits.Edits = ()
    for block, texts in blocks.values():
        whole = ["\n".join(texts)] if block.line == block.last_line else texts
        made += tuple(edit for text in whole for edit in edits.added_in(block, text))
    return made


def general(route: Route) -> bool:
    """Whether the location is the one for everything, `location /`."""
    return location(route.scope).args in (("/",), ("^~", "/"))


def upgrades(route: Route) -> bool:
    """Whether websockets pass here."""
    return route.scope.header("Upgrade") is not None


def long_lived(route: Route) -> bool:
    """Whether the location looks made for answers that last: websockets, or a stream in a location of its own."""
    return upgrades(route) or (not general(route) and route.scope.value("proxy_buffering").text == "off")
