"""A declared `keepalive` must have effect where requests pass.

Before 1.29.7 `keepalive 32;` in an upstream does nothing by itself: each location must also say `proxy_http_version
1.1;` and send no `Connection: close`, which is what nginx sends unless the header is set to nothing. With 1.1 alone 61
of 61 connections were closed. The usual mistake is `proxy_set_header Connection "";` at the level of `http`, and any
one `proxy_set_header` in the location, which drops all inherited ones (55 closed connections against 0). Another is the
websocket `map` of many guides, whose `'' close;` is for exactly the ordinary requests.

Add what is missing where the other headers stand; in a `map`, turn `'' close;` into `'' '';`. Or delete the `keepalive`
lines if you do not want them: gthread before Gunicorn 27.0.1 is better off without them (NGX007), so that is what the
fix says there. Where Gunicorn would close first (NGX001), a shorter `keepalive_timeout` is part of the fix: without it
the cure would bring the 502s.

Silent where Gunicorn closes every connection anyway (NGX004), and for a websocket location beside others that keep
their connections.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared import contract, headers
from gunicorn_autotune.nginx.rules.shared.places import added, location, upgrades
from gunicorn_autotune.nginx.site import keepalive
from gunicorn_autotune.nginx.site.routes import Route
from gunicorn_autotune.nginx.site.scope import Value
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX002", Severity.WARNING, "A declared keepalive has an effect")
_HEADER, _ROW = 'proxy_set_header Connection "";', "'' '';"


def check(site: Site) -> Iterator[Finding]:
    """Each line, or location without one, that keeps a declared keepalive from working."""
    gunicorn = site.gunicorn
    if gunicorn is not None and not contract.keeps(gunicorn):
        return
    working = {route.upstream.name for route in site.routes if keepalive.kept(route).in_force}
    told: set[tuple[int, str]] = set()
    for route in site.routes:
        kept = keepalive.kept(route)
        meant = upgrades(route) and route.upstream.name in working
        if kept.declared.directive is None or not kept.why_not or meant:
            continue
        causes = _causes(route)
        place = next((cause.directive for cause in causes if cause.directive), route.proxy_pass)
        if causes and (id(place), route.upstream.name) not in told:
            told.add((id(place), route.upstream.name))
            yield _finding(site, route, causes, place)


def _causes(route: Route) -> list[Value]:
    """None where a balancing method is to blame: that is NGX010."""
    spoken, sent = route.scope.value("proxy_http_version"), keepalive.connection_header(route.scope)
    return [spoken] * (spoken.text == "1.0") + [sent] * (sent.text.lower() == "close")


def _finding(site: Site, route: Route, causes: list[Value], place: Directive) -> Finding:
    kept, better_not = keepalive.kept(route), contract.loses(site.gunicorn)
    spot = _map_spot(route, causes)
    lines = ["proxy_http_version 1.1;"] * (causes[0].name == "proxy_http_version")
    if causes[-1].name == "Connection":
        lines.append(f"'' '';    # in the map, {spot.place}" if spot else _HEADER)
    late, late_edits = contract.with_keeping(site, route.upstream)
    delete = f"# delete `{kept.declared.text}` of upstream {route.upstream.name}, or upgrade Gunicorn first (NGX007)"
    return at(
        RULE,
        place,
        f"keepalive {kept.declared.text} of upstream {route.upstream.name} has no effect in {route.location}: "
        f"{kept.why_not}",
        severity=Severity.INFO if better_not else None,
        nginx=kept.declared,
        fix=delete if better_not else "\n".join([*lines, *late]),
        edits=() if better_not or late_edits is None else (*_edits(site, route, causes, spot), *late_edits),
    )


def _edits(site: Site, route: Route, causes: list[Value], spot: Directive | None) -> edits.Edits:
    replaced: edits.Edits = ()
    lines = []
    for cause in causes:
        is_header = cause.name == "Connection"
        text = _HEADER if is_header else "proxy_http_version 1.1;"
        if is_header and spot is not None:
            replaced += edits.added_in(spot, _ROW) if spot.name == "map" else edits.replaced(spot, _ROW)
        elif cause.directive is not None:
            replaced += edits.replaced(cause.directive, text)
        else:
            lines.append((headers.block_for(site, route) if is_header else location(route.scope), text))
    return replaced + added(lines)


def _map_spot(route: Route, causes: list[Value]) -> Directive | None:
    """The `'' close;` of the map whose variable is sent; the map itself where its `default` says close."""
    written = causes[-1].directive if causes[-1].name == "Connection" else None
    variable = written.args[1] if written is not None else ""
    if written is None or not variable.startswith("$"):
        return None
    tables = [table for http in route.scope.blocks[0].children("http") for table in http.children("map")]
    found = [table for table in tables if table.args[1:] == ("$" + variable.strip("${}"),)]
    return next((table.child("") or table for table in found), None)
