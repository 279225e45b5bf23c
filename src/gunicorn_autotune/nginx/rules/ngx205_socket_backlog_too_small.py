"""The queue of a UNIX socket should be long enough for what nginx can send at once.

Connections that no worker has accepted yet wait in the kernel, in a queue of `backlog` places, 2048 unless it is set,
but never more than `net.core.somaxconn`: 4096 since Linux 5.4, 128 before. A full TCP queue makes nginx try again
after 1 s; a full UNIX queue is refused **at once**: with 32 places, 200 requests at the same moment gave 166 times 502
(`11: Resource temporarily unavailable`), over TCP none (measured).

Leave `backlog` at 2048, and raise `net.core.somaxconn` where it is smaller. 512 places are the least that this rule
accepts: nginx's own queue for clients has 511, and a burst that got through the one should fit the other.

Ignore it where a short queue is meant to turn requests away early, and where systemd opens the socket: then its
`Backlog=` counts.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity, at
from gunicorn_autotune.nginx.site.gunicorn import binds
from gunicorn_autotune.nginx.site.site import Site, same

RULE = Rule("NGX205", Severity.WARNING, "The queue of the UNIX socket holds a burst", frozenset({Need.GUNICORN}))
LEAST_PLACES = 512
"""One more than nginx's own listen queue has."""


def check(site: Site) -> Iterator[Finding]:
    """Each UNIX socket of Gunicorn's that nginx passes requests to."""
    gunicorn = site.gunicorn
    if gunicorn is None:
        return
    asked, allowed = int(gunicorn.get("backlog", 2048)), site.host.somaxconn
    places = asked if allowed is None else min(asked, allowed)
    sockets = {peer.path: peer for upstream in site.upstreams for peer in upstream.peers if peer.path}
    for peer in sockets.values():
        if places < LEAST_PLACES and any(same(peer, bind, site.host) for bind in binds(gunicorn)):
            limit = "backlog" if places == asked else "net.core.somaxconn"
            yield at(
                RULE,
                peer.directive,
                f"only {places} connections may wait at {peer.path} ({limit}): any more get 502 at once",
                nginx=peer.directive.shown,
                gunicorn=gunicorn.shown("backlog"),
                fix=_fix(asked, allowed),
            )


def _fix(asked: int, allowed: int | None) -> str:
    lines = ["backlog = 2048    # in Gunicorn's configuration file"] if asked < LEAST_PLACES else []
    if allowed is not None and allowed < LEAST_PLACES:
        lines.append("sysctl -w net.core.somaxconn=4096    # and in /etc/sysctl.d")
    return "\n".join(lines)
