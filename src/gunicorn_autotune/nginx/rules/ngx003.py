"""Connections to Gunicorn should be kept open between requests.

Without it every request opens a connection, and the worker accepts it, reads it and closes it. On a trivial app
keeping them gave 65 to 74 % more requests/s over TCP (p99 33 to 45 % shorter) and 13 to 55 % more over a UNIX socket:
the advice "with a UNIX socket, skip upstream keepalive" is wrong. It saves about 0.1 ms a request, so a slow or idle
app gains less. Over TCP it also leaves about 14,000 sockets in TIME_WAIT.

An address written into `proxy_pass` never keeps connections, whatever the nginx version and whatever headers are set
(61 of 61 closed): it takes an `upstream` block. Before nginx 1.29.7 that needs a `keepalive` line, HTTP/1.1 and an
empty Connection header as well. Keep Host set: without it the app would see the name of the upstream.

Silent for sync workers (they close every connection), for gthread before Gunicorn 27.0.1 (it loses kept requests when
a worker leaves, NGX007), where `keepalive 0;` says it is meant, and for a websocket location of its own. Ignore it
where a few requests a second arrive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gunicorn_autotune.nginx import contract, defaults, edits, keepalive
from gunicorn_autotune.nginx.finding import Finding, Need, Rule, Severity, at
from gunicorn_autotune.nginx.gunicorn import CONCURRENT, THREADED, Gunicorn
from gunicorn_autotune.nginx.places import added, general, headers_block, location, upgrades
from gunicorn_autotune.nginx.routes import Route, upstreams
from gunicorn_autotune.nginx.site import Site
from gunicorn_autotune.nginx.tree import Directive

RULE = Rule("NGX003", Severity.WARNING, "Connections to Gunicorn are kept open", frozenset({Need.GUNICORN}))
GAIN = "keeping them gave 65 to 74 % more requests/s over TCP, 13 to 55 % over a UNIX socket"


def check(site: Site) -> Iterator[Finding]:
    """Each target to which no connection is kept though Gunicorn would."""
    gunicorn = site.gunicorn
    if gunicorn is None or not _worth_it(gunicorn) or site.numbers < defaults.UPSTREAM_TIMEOUT:
        return
    by_target: dict[str, list[Route]] = {}
    for route in site.routes:
        if not keepalive.declared_keepalive(route.upstream, site.version).args:
            by_target.setdefault(route.upstream.name, []).append(route)
    for routes in by_target.values():
        plain = [route for route in routes if general(route) or not upgrades(route)]
        if plain:
            yield _finding(site, gunicorn, plain)


def _worth_it(gunicorn: Gunicorn) -> bool:
    lossless = gunicorn.kind != THREADED or gunicorn.numbers >= contract.LINGERS
    return gunicorn.kind in (THREADED, CONCURRENT) and contract.keeps(gunicorn) and lossless


def _finding(site: Site, gunicorn: Gunicorn, routes: list[Route]) -> Finding:
    block = routes[0].upstream.block
    kept, new = contract.kept_lines(site, gunicorn), _new_name(site)
    lines = [f"{kept}\n# in {routes[0].location}:"] if block else [_upstream(new, routes[0], kept)]
    lines += [] if block else [_passed(routes[0], new)]
    lines += [text for _, text in _location_lines(routes[0])]
    why = "no keepalive line" if block else "an address in proxy_pass never keeps one"
    return at(
        RULE,
        block or routes[0].proxy_pass,
        f"every request to {routes[0].upstream.name} opens a connection ({why}); {GAIN}",
        nginx=block.text if block else routes[0].proxy_pass.text,
        gunicorn=gunicorn.shown("worker_class"),
        fix="\n".join(lines) + contract.gunicorn_line(gunicorn),
        edits=() if contract.gunicorn_line(gunicorn) else _edits(routes, block, kept, new),
    )


def _edits(routes: list[Route], block: Directive | None, kept: str, new: str) -> edits.Edits:
    lines = [line for route in routes for line in _location_lines(route)]
    if block is not None:
        return added([(block, kept), *lines])
    server = routes[0].scope.server
    if server is None:
        return ()
    passed = tuple(edit for route in routes for edit in edits.replaced(route.proxy_pass, _passed(route, new)))
    return edits.added_before(server.here, _upstream(new, routes[0], kept)) + passed + added(lines)


def _location_lines(route: Route) -> list[tuple[Directive, str]]:
    """What a location needs besides, with the block each line belongs to."""
    scope, lines = route.scope, []
    if scope.value("proxy_http_version").text == "1.0":
        lines.append((location(scope), "proxy_http_version 1.1;"))
    if keepalive.connection_header(scope).text.lower() == "close":
        lines.append((headers_block(scope), 'proxy_set_header Connection "";'))
    if scope.header("Host") is None and route.upstream.block is None:
        lines.append((headers_block(scope), "proxy_set_header Host $host;"))
    return lines


def _upstream(name: str, route: Route, kept: str) -> str:
    peer = route.upstream.peers[0]
    # A port left out means 80 there, and 443 with https: in an upstream always 80.
    address = f"unix:{peer.path}" if peer.path else re.sub(r":\d+$", "", peer.written) + f":{peer.port}"
    lines = [f"server {address} fail_timeout=0;", *kept.splitlines()]
    return "\n".join([f"upstream {name} {{", *(f"    {line}" for line in lines), "}"])


def _passed(route: Route, name: str) -> str:
    """The proxy_pass with the name of an upstream instead of its address, and the URI it had."""
    scheme, _, rest = route.proxy_pass.args[0].partition("://")
    unix = re.fullmatch(r"unix:[^:]*:?(.*)", rest)
    uri = unix[1] if unix else rest[len(route.upstream.name) :]
    return f"proxy_pass {edits.quoted(f'{scheme}://{name}{uri}')};"


def _new_name(site: Site) -> str:
    taken = set(upstreams(site.root))
    return next(name for name in ("gunicorn", *(f"gunicorn{n}" for n in range(2, len(taken) + 3))) if name not in taken)
