"""What `proxy_set_header` sends to Gunicorn, which lines inner blocks drop, and where a missing line belongs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.rules.finding import Severity
from gunicorn_autotune.nginx.site.locations import EXACT, pattern_of
from gunicorn_autotune.nginx.site.routes import Route
from gunicorn_autotune.nginx.site.scope import Scope, Value
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits

SET = "proxy_set_header"
SCHEME_HEADERS = ("X-Forwarded-Proto", "X-Forwarded-Ssl", "X-Forwarded-Protocol")
"""Gunicorn's secure_scheme_headers: any of them decides wsgi.url_scheme."""
_OWN_SCHEME = ("$scheme", "${scheme}")


@dataclass(frozen=True, slots=True)
class Gap:
    """A place where lines are missing, and whom they would serve."""

    lines: tuple[str, ...]
    place: Directive
    """The last `proxy_set_header` in force, the lines follow it; where there is none, the block they go into."""
    routes: tuple[Route, ...]
    shared: bool
    """Whether requests to other servers would get the lines as well."""

    @property
    def text(self) -> str:
        """The lines to paste."""
        return "\n".join(self.lines)

    @property
    def edits(self) -> edits.Edits:
        """The lines put in place; none where they would reach others too."""
        if self.shared:
            return ()
        if self.place.name == SET:
            return edits.added_after(self.place, self.text)
        return edits.added_in(self.place, self.text)

    @property
    def who(self) -> str:
        """`location /`, `3 locations (location /, location /api/, ...)`."""
        names = list(dict.fromkeys(route.location for route in self.routes))
        if len(names) == 1:
            return names[0]
        return f"{len(names)} locations ({', '.join(names[:2])}{', ...' if len(names) > 2 else ''})"


def gaps(site: Site, missing: Callable[[Route], tuple[str, ...]]) -> Iterator[Gap]:
    """The places where the lines that `missing` names for Gunicorn's routes would have to be written."""
    found: dict[tuple[str, int, tuple[str, ...]], tuple[Directive, list[Route]]] = {}
    users: dict[str, set[str]] = {}
    for route in site.every_route:
        users.setdefault(_at(_last(route)), set()).add(_location(route).place)
    for route in site.routes:
        lines = missing(route)
        if lines:
            place = _place(site, route, users)
            found.setdefault((place.file, place.line, lines), (place, []))[1].append(route)
    others = {_taken(site, other) for other in site.every_route if not site.leads_to_gunicorn(other)} if found else ()
    for (file, line, lines), (place, routes) in found.items():
        yield Gap(lines, place, tuple(routes), (file, line) in others)


def lost(scope: Scope) -> dict[str, Directive]:
    """Headers by lower-case name that an outer block sets and that are not sent, as an inner block sets others."""
    levels = scope.levels(SET)
    sent = {_name(one) for one in levels[0]} if levels else set()
    found: dict[str, Directive] = {}
    for level in levels[1:]:
        for one in level:
            if one.args and _name(one) not in sent:
                found.setdefault(_name(one), one)
    return found


def unset(route: Route, *names: str) -> bool:
    """Whether none of these headers is set at any level; a header that is merely dropped is for NGX305."""
    lower = {name.lower() for name in names}
    return not any(_name(one) in lower for level in route.scope.levels(SET) for one in level)


def ends_tls(route: Route) -> bool:
    """Whether clients reach this location over TLS that ends at this nginx."""
    server = route.scope.server
    if server is None:
        return False
    return server.value("ssl").text == "on" or any("ssl" in one.args for one in server.here.children("listen"))


def https_told(route: Route) -> Value | None:
    """The header by which this location may tell https; None where it always says http, or nothing."""
    for name in SCHEME_HEADERS:
        sent = route.scope.header(name)
        if sent is not None and sent.args[1] in ("https", "on", "ssl"):
            return sent
        if sent is not None and "$" in sent.args[1] and (sent.args[1] not in _OWN_SCHEME or ends_tls(route)):
            return sent
    return None


def host_severity(site: Site, route: Route) -> Severity:
    """Of a missing Host: an error where Gunicorn's locations of that server all lack it, so that none is special.

    One that stands for a single path, as a health check's does, is special by itself.
    """
    beside = [other for other in site.beside(route.scope.server) if site.leads_to_gunicorn(other)]
    exact = all(pattern_of(_location(other))[0] == EXACT for other in beside)
    forgotten = all(other.scope.header("Host") is None for other in beside) and not exact
    return Severity.ERROR if site.found and forgotten else Severity.WARNING


def _name(header: Directive) -> str:
    return header.args[0].lower() if header.args else ""


def _place(site: Site, route: Route, users: Mapping[str, set[str]]) -> Directive:
    last, location = _last(route), _location(route)
    if last is not None:
        # A distribution's own file (proxy_params) is left alone where one location includes it. A line in a location
        # that merely inherits would switch off all the others.
        alone = len(users[last.place]) == 1 and last.file != location.file and last in location.children(SET)
        return location if alone else last
    return _bare_place(site, route)


def block_for(site: Site, route: Route) -> Directive:
    """The block that takes another line and hides none: that of the lines in force, else the one that `gaps` names."""
    beside = (block for block in reversed(route.scope.blocks) if block.children(SET))
    return next(beside, None) or _bare_place(site, route)


def _bare_place(site: Site, route: Route) -> Directive:
    """For the first headers of a route that sends none yet."""
    location = _location(route)
    server = route.scope.server
    return server.here if server and id(server.here) in site.bare_servers else location


def _last(route: Route) -> Directive | None:
    in_force = route.scope.all(SET)
    return in_force[-1] if in_force else None


def _at(header: Directive | None) -> str:
    return header.place if header else ""


def _location(route: Route) -> Directive:
    """proxy_set_header may not stand in `if` or `limit_except`."""
    outer = route.scope.outwards("location")
    return outer.here if outer else route.scope.here


def _taken(site: Site, other: Route) -> tuple[str, int]:
    """File and line at which another line would count for that route."""
    at = _last(other) or _bare_place(site, other)
    return at.file, at.line
