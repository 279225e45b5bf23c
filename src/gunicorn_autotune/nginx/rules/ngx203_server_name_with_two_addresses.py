"""One Gunicorn should be one address to nginx, not a name with two.

`localhost` is 127.0.0.1 and ::1 on most hosts, and nginx takes every address of a name for a server of its own. With
two of them it starts to keep count of failures: one that does not answer is left alone for `fail_timeout`, 10 s. Two
things follow. If Gunicorn listens at 127.0.0.1 only, every other first try goes to ::1 and is refused. And after a
restart of Gunicorn nginx answers `no live upstreams` **10.4 s longer** than Gunicorn is away; with a single address it
is 0.1 s (both measured).

Write the address instead of the name. Where the name must stay, `fail_timeout=0` on the `server` line switches the
counting off (0.1 s measured).

The rule does not concern names that stand for several hosts.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.site.gunicorn import Bind, binds
from gunicorn_autotune.nginx.site.routes import Peer
from gunicorn_autotune.nginx.site.site import LOOPBACK, Site, addresses_of, same
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX203", Severity.WARNING, "Each server line stands for a single address")


def check(site: Site) -> Iterator[Finding]:
    """Each line that names one host by several addresses."""
    for peer in {peer.directive.place: peer for route in site.routes for peer in route.upstream.peers}.values():
        reached = addresses_of(peer, site.host)
        if len(reached) > 1 and _one_host(site, reached) and not _uncounted(peer):
            yield at(
                RULE,
                peer.directive,
                f"{peer.host} is {' and '.join(reached)}, for nginx {len(reached)} servers: after a restart of "
                "Gunicorn nginx answers `no live upstreams` for 10 s more",
                nginx=peer.directive.shown,
                gunicorn=site.gunicorn.shown("bind") if site.gunicorn else "",
                fix=_line(site, peer, reached),
                edits=edits.replaced(peer.directive, _line(site, peer, reached)),
            )


def _one_host(site: Site, reached: tuple[str, ...]) -> bool:
    """Whether these are one host's: all of this one, or one IPv4 and one IPv6 address."""
    own = {*LOOPBACK, *site.host.own_addresses}
    families = sorted(":" in one for one in reached)
    return all(one in own or one.startswith("127.") for one in reached) or families == [False, True]


def _uncounted(peer: Peer) -> bool:
    limits = peer.parameters
    return limits.get("max_fails") == "0" or limits.get("fail_timeout") in ("0", "0s")


def _line(site: Site, peer: Peer, reached: tuple[str, ...]) -> str:
    own = binds(site.gunicorn) if site.gunicorn else ()
    heard = [bind.host for bind in own if same(peer, bind, site.host) and bind.host in reached]
    chosen = heard[0] if heard else next((one for one in reached if ":" not in one), reached[0])
    port = peer.written[len(peer.host) :]
    address = Bind(chosen, 0).text.rpartition(":")[0] + port
    words = peer.directive.args
    if peer.directive.name == "server":
        return f"server {' '.join((address, *words[1:]))};"
    return f"proxy_pass {words[0].replace(peer.written, address, 1)};"
