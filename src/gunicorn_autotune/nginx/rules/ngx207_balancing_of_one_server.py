"""What chooses among servers has no meaning where there is one.

`least_conn`, `ip_hash`, `hash`, `random` and `weight=` choose a **server**. One Gunicorn is one server, however many
workers it has: which of them takes a connection is decided by the kernel when it is accepted. With a single server
nginx never asks the method (`peers->single` in ngx_http_upstream_round_robin.c). The lines do no harm, but they suggest
something that does not happen, and one of them in the wrong order switches `keepalive` off (NGX010).

`max_conns=` has a meaning, but without `zone` in the `upstream` every nginx worker counts by itself, so that the limit
is as many times higher as there are workers.

Remove the line, or add `zone NAME 64k;`. Ignore it where more servers are about to follow.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.site.keepalive import BALANCERS
from gunicorn_autotune.nginx.site.routes import Peer, Upstream
from gunicorn_autotune.nginx.site.site import Site, addresses_of
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX207", Severity.INFO, "A single server has no balancing")


def check(site: Site) -> Iterator[Finding]:
    """Each idle line of each upstream."""
    for upstream in site.upstreams:
        if upstream.block is None:
            continue
        if len(upstream.peers) == 1 and _single(site, upstream.peers[0]):
            yield from _idle(upstream, upstream.peers[0])
        workers = site.nginx_workers
        if workers != 1 and upstream.value("zone") is None:
            yield from _uncounted(upstream, workers)


def _single(site: Site, peer: Peer) -> bool:
    """A name that does not resolve here may stand for several."""
    return bool(peer.path) or len(addresses_of(peer, site.host)) == 1


def _idle(upstream: Upstream, peer: Peer) -> Iterator[Finding]:
    for line in upstream.block.block or () if upstream.block else ():
        if line.name in BALANCERS:
            yield at(
                RULE,
                line,
                f"{line.name} chooses among servers, but upstream {upstream.name} has only one",
                nginx=line.shown,
                fix=f"# remove: {line.text};",
                edits=edits.removed(line),
            )
    if "weight" in peer.parameters:
        words = [word for word in peer.directive.args if not word.startswith("weight=")]
        text = f"server {' '.join(words)};"
        yield at(
            RULE,
            peer.directive,
            f"weight compares servers, but upstream {upstream.name} has only one",
            nginx=peer.directive.shown,
            fix=text,
            edits=edits.replaced(peer.directive, text),
        )


def _uncounted(upstream: Upstream, workers: int | None) -> Iterator[Finding]:
    limited = [peer for peer in upstream.peers if peer.parameters.get("max_conns", "0") != "0"]
    if limited and upstream.block is not None:
        each = limited[0].parameters["max_conns"]
        total = f"{int(each) * workers}" if workers and each.isdigit() else "more"
        text = f"zone {upstream.name} 64k;"
        yield at(
            RULE,
            limited[0].directive,
            f"without zone each nginx worker counts max_conns={each} by itself: {total} connections in all",
            nginx=limited[0].directive.shown,
            fix=f"{text}    # in upstream {upstream.name}",
            edits=edits.added_in(upstream.block, text),
        )
