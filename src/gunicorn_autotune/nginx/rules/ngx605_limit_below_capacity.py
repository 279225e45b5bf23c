"""A limit on all requests together should not be below what Gunicorn can take.

`max_conns=` on a `server`, and `limit_conn` with a key that is the same for every client, turn requests away at once:
nginx without a subscription has no queue for them. Measured: `max_conns=1`, three requests at the same moment, two
of them 502 with `no live upstreams` in the error log, although Gunicorn was up. A limit below the requests that
Gunicorn can work on at once keeps workers idle while clients get errors, and autotune sees no reason to grow.

Allow at least workers x requests of each, with the most workers that autotune may start. More leaves room for requests
that wait a moment, which is what autotune grows by.

The rule does not concern limits for each client (`$binary_remote_addr`). Ignore it where the database behind the app is
what the limit protects. Event loops (gevent, asgi) are left out: what they take at once is not known.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared import capacity
from gunicorn_autotune.nginx.site.gunicorn import CONCURRENT, Gunicorn
from gunicorn_autotune.nginx.site.routes import Peer, Upstream
from gunicorn_autotune.nginx.site.site import Site, is_gunicorn
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX605", Severity.WARNING, "No limit is below what Gunicorn can take", frozenset({Need.GUNICORN}))
_SAME_FOR_ALL = frozenset({"$server_name", "$server_addr", "$server_port", "$proxy_host", "$hostname"})
"""Keys that every client of a server shares; a word without a variable is another."""


def check(site: Site) -> Iterator[Finding]:
    """Each limit below the requests that Gunicorn works on at once."""
    gunicorn = site.gunicorn
    # An event loop's worker_connections are a limit, not what it works on.
    if gunicorn is None or gunicorn.kind == CONCURRENT or not site.found:
        return
    for upstream in site.upstreams:
        for peer in upstream.peers:
            if is_gunicorn(peer, gunicorn, site.host):
                yield from _max_conns(site, gunicorn, upstream, peer)
    totals = _totals(site)
    lines = {line.place: line for route in site.routes for line in route.scope.all("limit_conn")}
    for line in lines.values():
        if len(line.args) == 2 and line.args[0] in totals:
            yield from _limit_conn(gunicorn, line)


def _max_conns(site: Site, gunicorn: Gunicorn, upstream: Upstream, peer: Peer) -> Iterator[Finding]:
    written, taken = peer.parameters.get("max_conns", ""), capacity.requests_at_once(gunicorn)
    # Without a zone every nginx worker counts by itself.
    counters = 1 if upstream.value("zone") else site.nginx_workers
    if counters is None or not written.isdigit() or not 0 < int(written) * counters < taken:
        return
    words = [f"max_conns={taken}" if word.startswith("max_conns=") else word for word in peer.directive.args]
    text = f"server {' '.join(words)};"
    times = f" x {counters} nginx workers" if counters > 1 else ""
    yield at(
        RULE,
        peer.directive,
        f"nginx passes on {int(written) * counters:,} requests at once (max_conns={written}{times}), but Gunicorn "
        f"takes {taken:,} ({capacity.words(gunicorn)}): the rest gets 502",
        nginx=peer.directive.shown,
        gunicorn=capacity.words(gunicorn),
        fix=text,
        edits=edits.replaced(peer.directive, text),
    )


def _limit_conn(gunicorn: Gunicorn, line: Directive) -> Iterator[Finding]:
    taken = capacity.requests_at_once(gunicorn)
    if line.args[1].isdigit() and int(line.args[1]) < taken:
        text = f"limit_conn {line.args[0]} {taken};"
        yield at(
            RULE,
            line,
            f"nginx lets in {int(line.args[1]):,} requests at once for all clients together, but Gunicorn "
            f"takes {taken:,} ({capacity.words(gunicorn)})",
            nginx=line.shown,
            gunicorn=capacity.words(gunicorn),
            fix=text,
            edits=edits.replaced(line, text),
        )


def _totals(site: Site) -> frozenset[str]:
    """Zones whose key is the same for every client."""
    found = set()
    for scope in site.scopes("http"):
        for line in scope.here.children("limit_conn_zone"):
            zone = line.args[-1].removeprefix("zone=").partition(":")[0] if line.args else ""
            if len(line.args) == 2 and ("$" not in line.args[0] or line.args[0] in _SAME_FOR_ALL):
                found.add(zone)
    return frozenset(found)
