"""nginx must speak what Gunicorn speaks: TLS or not, HTTP/1 or HTTP/2.

With `certfile` Gunicorn speaks TLS on every address it has, UNIX sockets too; without, on none. `http://` to a Gunicorn
with TLS and `https://` to one without both give **502** for every request (measured): `upstream prematurely closed
connection`, or `SSL_do_handshake() failed ... wrong version number` in nginx's error log.

The same holds for HTTP/2 without TLS. With `http2_cleartext = "prior-knowledge"` Gunicorn (26.2 and later) refuses
HTTP/1 from every peer in `forwarded_allow_ips` with 400, and HTTP/1 is what nginx speaks; `"both"` accepts either. And
`proxy_http_version 2` (nginx 1.29.4 and later) needs a Gunicorn that has `h2` in `http_protocols` and `http2_cleartext`
switched on.

Change the scheme in `proxy_pass`; on one host TLS between the two gains nothing, so dropping `certfile` is the other
way. It is a warning where only the port says that a name is Gunicorn. Never ignore it otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity, at
from gunicorn_autotune.nginx.site import trust
from gunicorn_autotune.nginx.site.gunicorn import Gunicorn
from gunicorn_autotune.nginx.site.routes import Peer, Route
from gunicorn_autotune.nginx.site.site import Site, addresses_of
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX208", Severity.ERROR, "nginx speaks the protocol that Gunicorn does", frozenset({Need.GUNICORN}))


def check(site: Site) -> Iterator[Finding]:
    """Each proxy_pass with the wrong scheme, each location with the wrong HTTP."""
    gunicorn = site.gunicorn
    if gunicorn is None or not site.found:
        return
    for route in site.routes:
        tls = bool(gunicorn.get("tls"))
        if tls != (route.scheme == "https"):
            yield _scheme(site, route, gunicorn, "https" if tls else "http")
        elif not tls:
            yield from _version(site, route, gunicorn)


def _scheme(site: Site, route: Route, gunicorn: Gunicorn, right: str) -> Finding:
    target = route.proxy_pass.args[0].partition("://")[2]
    speaks = "TLS" if right == "https" else "no TLS"
    line = f"proxy_pass {right}://{target};"
    return at(
        RULE,
        route.proxy_pass,
        f"{route.location} speaks {route.scheme} to Gunicorn, which speaks {speaks}: every request gets 502",
        severity=None if any(_is_known(site, peer) for peer in route.upstream.peers) else Severity.WARNING,
        nginx=route.proxy_pass.shown,
        gunicorn=gunicorn.shown("tls"),
        fix=line,
        edits=edits.replaced(route.proxy_pass, line),
    )


def _is_known(site: Site, peer: Peer) -> bool:
    """Whether more than the port says that it is Gunicorn."""
    return bool(peer.path or addresses_of(peer, site.host))


def _version(site: Site, route: Route, gunicorn: Gunicorn) -> Iterator[Finding]:
    spoken = route.scope.value("proxy_http_version")
    cleartext = gunicorn.get("http2_cleartext", "off")
    ready = "h2" in gunicorn.get("http_protocols", "h1")
    place = spoken.directive or route.proxy_pass
    if spoken.text == "2":
        heard = ready and cleartext in ("prior-knowledge", "both")
        if not heard or trust.believed(route, gunicorn, site.host) is False:
            yield at(
                RULE,
                place,
                f"{route.location} speaks HTTP/2 to a Gunicorn that does not accept it: every request fails",
                nginx=spoken,
                gunicorn=gunicorn.shown("http2_cleartext"),
                fix="proxy_http_version 1.1;",
                edits=edits.replaced(place, "proxy_http_version 1.1;"),
            )
    elif ready and cleartext == "prior-knowledge" and trust.believed(route, gunicorn, site.host):
        yield at(
            RULE,
            place,
            f"{route.location} speaks HTTP/{spoken.text}, but Gunicorn accepts only HTTP/2 from nginx: 400",
            nginx=spoken,
            gunicorn=gunicorn.shown("http2_cleartext"),
            fix='http2_cleartext = "both"    # in Gunicorn\'s configuration file',
        )
