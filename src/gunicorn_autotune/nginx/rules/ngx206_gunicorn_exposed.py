"""Gunicorn should listen only where nginx can reach it.

`bind = "0.0.0.0:8000"` opens Gunicorn to every network of the host. Whoever comes that way bypasses nginx: its TLS, its
limits, its buffering against slow clients, its access log, and whatever it denies. A slow client alone then holds a
worker for as long as it likes.

Bind to 127.0.0.1 (or to a UNIX socket) where nginx runs on the same host, which is what this nginx's own `server` line
says.

Ignore it in a container whose port is published to 127.0.0.1 only: inside of it 0.0.0.0 is right. The rule is silent
where nginx reaches Gunicorn by a name or an address that is not this host's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity, at
from gunicorn_autotune.nginx.site.gunicorn import Bind, binds
from gunicorn_autotune.nginx.site.routes import Peer
from gunicorn_autotune.nginx.site.site import LOOPBACK, Site, addresses_of, same

RULE = Rule("NGX206", Severity.WARNING, "Gunicorn listens only where nginx reaches it", frozenset({Need.GUNICORN}))


def check(site: Site) -> Iterator[Finding]:
    """One finding, for all addresses that are open to everybody."""
    gunicorn = site.gunicorn
    own = binds(gunicorn) if gunicorn else ()
    wide = [bind for bind in own if bind.everywhere]
    peers = [peer for upstream in site.upstreams for peer in upstream.peers]
    if gunicorn is None or not wide or not site.found:
        return
    if all(peer.path or _loopback(site, peer) for peer in peers):
        yield at(
            RULE,
            peers[0].directive,
            f"Gunicorn listens at {', '.join(bind.text for bind in wide)}, on every network of this host: "
            "clients can bypass nginx",
            nginx=peers[0].directive.shown,
            gunicorn=gunicorn.shown("bind"),
            fix=f"bind = {_narrow(site, own, peers)}    # in Gunicorn's configuration file",
        )


def _loopback(site: Site, peer: Peer) -> bool:
    reached = addresses_of(peer, site.host)
    return bool(reached) and all(one in LOOPBACK or one.startswith("127.") for one in reached)


def _narrow(site: Site, own: Sequence[Bind], peers: Sequence[Peer]) -> str:
    """`bind` with the addresses that nginx connects to in the place of all."""
    words = [f'"{_one(site, bind, peers)}"' for bind in own]
    return words[0] if len(words) == 1 else f"[{', '.join(words)}]"


def _one(site: Site, bind: Bind, peers: Sequence[Peer]) -> str:
    used = [peer for peer in peers if same(peer, bind, site.host)]
    if bind.everywhere and used:
        return Bind(addresses_of(used[0], site.host)[0], bind.port).text
    return bind.reachable_text
