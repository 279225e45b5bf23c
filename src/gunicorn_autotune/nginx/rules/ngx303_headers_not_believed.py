"""Gunicorn should believe the headers of the nginx in front of it.

Gunicorn takes `X-Forwarded-Proto` only from addresses in `forwarded_allow_ips`: 127.0.0.1 and ::1 unless it is set
(22.0.0: 127.0.0.1 alone), and from UNIX sockets always. From any other nginx the header is ignored, `wsgi.url_scheme`
stays `http`, and an app that insists on https redirects for ever. autotune believes `X-Request-Start` by the same list.

Three ways to get there: nginx runs on another host or in another container; the list names the load balancer in front
of nginx instead of nginx; or Gunicorn binds to `[::]`, where a request over IPv4 comes from `::ffff:127.0.0.1`, which
the default list does not hold (measured with 27.0.1: `http` in spite of the header).

Add the address that Gunicorn sees nginx coming from to the list. Use `*` only where nobody else can reach Gunicorn
(NGX304).

Ignore it where the app reads the header itself and needs no `wsgi.url_scheme` (Django's SECURE_PROXY_SSL_HEADER,
Werkzeug's ProxyFix). It is an error only where somebody wrote a list and nginx is not in it.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared import headers
from gunicorn_autotune.nginx.site import trust
from gunicorn_autotune.nginx.site.gunicorn import Gunicorn
from gunicorn_autotune.nginx.site.routes import Peer, Route
from gunicorn_autotune.nginx.site.scope import Value
from gunicorn_autotune.nginx.site.site import Site, addresses_of, is_gunicorn

RULE = Rule("NGX303", Severity.ERROR, "Gunicorn believes nginx's headers", frozenset({Need.GUNICORN}))


def check(site: Site) -> Iterator[Finding]:
    """Each server line of Gunicorn's behind a location that tells https by a header."""
    gunicorn = site.gunicorn
    if gunicorn is None or not site.found:
        return
    told: dict[str, tuple[Route, Value, Peer]] = {}
    for route in site.routes:
        sent = headers.https_told(route)
        for peer in route.upstream.peers if sent else ():
            if sent and is_gunicorn(peer, gunicorn, site.host):
                told.setdefault(peer.directive.place, (route, sent, peer))
    for route, sent, peer in told.values():
        yield from _unheard(site, gunicorn, route, sent, peer)


def _unheard(site: Site, gunicorn: Gunicorn, route: Route, sent: Value, peer: Peer) -> Iterator[Finding]:
    allowed = [str(one) for one in gunicorn.get("forwarded_allow_ips", ())]
    seen = trust.seen_as(route, peer, gunicorn, site.host)
    if peer.path or any(trust.trusted(allowed, one) for one in seen):
        return
    outside = not addresses_of(peer, site.host) or not _loopback(site, peer)
    # Without an address of nginx's own, only a list of loopback addresses is sure not to hold it.
    if not seen and not (outside and all(trust.is_loopback(one) for one in allowed)):
        return
    certain = bool(seen) and "forwarded_allow_ips" in gunicorn.origins
    here = seen[0] if seen else "the address of nginx"
    yield at(
        RULE,
        sent.directive or peer.directive,
        f"Gunicorn ignores {sent.args[0]} from {here}, which is not in forwarded_allow_ips: the app sees http",
        severity=None if certain else Severity.WARNING,
        nginx=sent,
        gunicorn=gunicorn.shown("forwarded_allow_ips"),
        fix=f'forwarded_allow_ips = "{",".join([*allowed, *(seen or ("ADDRESS_OF_NGINX",))])}"'
        "    # in Gunicorn's configuration file",
    )


def _loopback(site: Site, peer: Peer) -> bool:
    return all(trust.is_loopback(one) for one in addresses_of(peer, site.host))
