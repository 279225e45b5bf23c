"""Connections to Gunicorn should be kept open between requests.

Without it every request opens a connection, and the worker accepts it, reads it and closes it. On a trivial app
keeping them gave 65 to 74 % more requests/s over TCP (p99 33 to 45 % shorter) and 13 to 55 % more over a UNIX socket:
the advice "with a UNIX socket, skip upstream keepalive" is wrong. It saves about 0.1 ms a request, so a slow or idle
app gains less. Over TCP it also leaves about 14,000 sockets in TIME_WAIT.

An address written into `proxy_pass` never keeps connections, whatever the nginx version and whatever headers are set
(61 of 61 closed): that takes an `upstream` block. Before nginx 1.29.7 that needs a `keepalive` line, HTTP/1.1 and an
empty Connection header as well. Keep Host set: without it the app would see the name of the upstream.

Silent for sync workers (they close every connection), for gthread before Gunicorn 27.0.1 (it loses kept requests when
a worker leaves, NGX007), where `keepalive 0;` says it is meant, and for a websocket location of its own. Ignore it
where a few requests a second arrive.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared import contract, headers
from gunicorn_autotune.nginx.rules.shared.places import added, general, location, upgrades
from gunicorn_autotune.nginx.site import defaults, keepalive
from gunicorn_autotune.nginx.site.gunicorn import CONCURRENT, THREADED, Gunicorn, binds
from gunicorn_autotune.nginx.site.routes import Route, upstreams
from gunicorn_autotune.nginx.site.scope import Value
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits, fitting

RULE = Rule("NGX003", Severity.WARNING, "Connections to Gunicorn are kept open", frozenset({Need.GUNICORN}))
GAIN = {False: "65 to 74 % more requests/s over TCP", True: "13 to 55 % more requests/s over a UNIX socket"}
"""By whether it is a UNIX socket."""


def check(site: Site) -> Iterator[Finding]:
    """Each target to which no connection is kept though Gunicorn would."""
    gunicorn = site.gunicorn
    if gunicorn is None or not _worth_it(gunicorn) or site.numbers < defaults.UPSTREAM_TIMEOUT:
        return
    by_target: dict[str, list[Route]] = {}
    for route in site.routes:
        if not keepalive.declared_keepalive(route.upstream, site.version).args:
            by_target.setdefault(route.upstream.name, []).append(route)
    names = _new_names(site)
    for routes in by_target.values():
        plain = [route for route in routes if general(route) or not upgrades(route)]
        if plain:
            yield _finding(site, gunicorn, plain, "" if plain[0].upstream.block else next(names))


def _worth_it(gunicorn: Gunicorn) -> bool:
    lossless = gunicorn.kind != THREADED or gunicorn.numbers >= fitting.LINGERS
    return gunicorn.kind in (THREADED, CONCURRENT) and contract.keeps(gunicorn) and lossless


def _finding(site: Site, gunicorn: Gunicorn, routes: list[Route], new: str) -> Finding:
    block, kept = routes[0].upstream.block, contract.kept_lines(site, gunicorn)
    lines = [f"{kept}\n# in {routes[0].location}:"] if block else [_upstream(gunicorn, new, routes[0], kept)]
    lines += [] if block else [_passed(routes[0], new)]
    lines += [text for _, text in _location_lines(site, routes[0])]
    closing = [sent for route in routes if (sent := _says_close(route)) is not None]
    lines += [f"# {closing[0].origin}: Connection must be empty for requests that are no upgrade"] if closing else []
    why = "no keepalive line" if block else "an address in proxy_pass never keeps one"
    return at(
        RULE,
        block or routes[0].proxy_pass,
        f"every request to {routes[0].upstream.name} opens a connection ({why}); keeping them gave "
        f"{GAIN[any(peer.path for peer in routes[0].upstream.peers)]}",
        nginx=block.text if block else routes[0].proxy_pass.text,
        gunicorn=gunicorn.shown("worker_class"),
        fix="\n".join(lines) + contract.gunicorn_line(gunicorn),
        edits=() if closing or contract.gunicorn_line(gunicorn) else _edits(site, gunicorn, routes, kept, new),
    )


def _edits(site: Site, gunicorn: Gunicorn, routes: list[Route], kept: str, new: str) -> edits.Edits:
    block = routes[0].upstream.block
    lines = [line for route in routes for line in _location_lines(site, route)]
    if block is not None:
        return added([(block, kept), *lines])
    server = routes[0].scope.server
    if server is None:
        return ()
    passed = tuple(edit for route in routes for edit in edits.replaced(route.proxy_pass, _passed(route, new)))
    return edits.added_before(server.here, _upstream(gunicorn, new, routes[0], kept)) + passed + added(lines)


def _location_lines(site: Site, route: Route) -> list[tuple[Directive, str]]:
    """What a location needs besides, with the block each line belongs to."""
    scope, lines = route.scope, []
    if scope.value("proxy_http_version").text == "1.0":
        lines.append((location(scope), "proxy_http_version 1.1;"))
    if keepalive.connection_header(scope).text.lower() == "close" and _says_close(route) is None:
        lines.append((headers.block_for(site, route), 'proxy_set_header Connection "";'))
    if scope.header("Host") is None and route.upstream.block is None:
        lines.append((headers.block_for(site, route), "proxy_set_header Host $host;"))
    return lines


def _says_close(route: Route) -> Value | None:
    """A line that sends `Connection: close` here, by a `map` as a rule: a second line beside it changes nothing."""
    sent = keepalive.connection_header(route.scope)
    return sent if sent.directive is not None and sent.text.lower() == "close" else None


def _upstream(gunicorn: Gunicorn, name: str, route: Route, kept: str) -> str:
    peer = route.upstream.peers[0]
    # A port left out means 80 there, and 443 with https: in an upstream always 80. localhost would be two servers.
    host = re.sub(r":\d+$", "", peer.written)
    if host == "localhost":
        host = "[::1]" if any(bind.host == "::1" for bind in binds(gunicorn)) else "127.0.0.1"
    address = f"unix:{peer.path}" if peer.path else f"{host}:{peer.port}"
    lines = [f"server {address} fail_timeout=0;", *kept.splitlines()]
    return "\n".join([f"upstream {name} {{", *(f"    {line}" for line in lines), "}"])


def _passed(route: Route, name: str) -> str:
    """The proxy_pass with the name of an upstream instead of its address, and the URI it had."""
    scheme, _, rest = route.proxy_pass.args[0].partition("://")
    unix = re.fullmatch(r"unix:[^:]*:?(.*)", rest)
    uri = unix[1] if unix else rest[len(route.upstream.name) :]
    return f"proxy_pass {edits.quoted(f'{scheme}://{name}{uri}')};"


def _new_names(site: Site) -> Iterator[str]:
    """gunicorn, gunicorn2, ...: those that are free."""
    taken = set(upstreams(site.root))
    names = ("gunicorn" if n == 1 else f"gunicorn{n}" for n in itertools.count(1))
    return (name for name in names if name not in taken)
