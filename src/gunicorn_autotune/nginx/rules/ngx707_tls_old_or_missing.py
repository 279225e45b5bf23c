"""Visitors should use TLS 1.2 or 1.3, even if they typed no https.

TLS 1.0 and 1.1 have been withdrawn since 2021 (RFC 8996) and no browser offers them any more; a scan for a card payment
fails because of them. nginx before 1.27.3 offers them unless told otherwise, and Debian 12's stock nginx.conf writes
them out. With OpenSSL 3 in Debian's settings the handshake then fails all the same, so the line offers protocols that
do not work. Write `ssl_protocols TLSv1.2 TLSv1.3;` in http: the server that answers first on an address decides for all
of them.

A site with https that also serves the application on port 80 sends passwords and session cookies in the clear to
everybody who typed no `https://`. Let port 80 do nothing but `return 301 https://$host$request_uri;`, with a location
`/.well-known/acme-challenge/` beside it if certificates are renewed that way.

Nothing is said about a site without any TLS: then it ends in front of nginx, or is not wanted. Ignore the second where
the application redirects by itself (Django: `SECURE_SSL_REDIRECT`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.site.listening import listeners
from gunicorn_autotune.nginx.site.locations import takes_everything
from gunicorn_autotune.nginx.site.routes import Route
from gunicorn_autotune.nginx.site.scope import Scope
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX707", Severity.WARNING, "Visitors come over TLS 1.2 or 1.3")
GOOD = "ssl_protocols TLSv1.2 TLSv1.3;"
_OLD = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1")


def check(site: Site) -> Iterator[Finding]:
    """Old protocols of Gunicorn's servers, and their ports without TLS."""
    secured = [server for server in site.servers if any(one.tls for one in listeners(server.here))]
    told: set[int] = set()
    for server in secured:
        value = server.value("ssl_protocols")
        place = value.directive or (server.outwards("http") or server).here
        old = [name for name in value.args if name in _OLD]
        if old and id(place) not in told:
            told.add(id(place))
            yield at(
                RULE,
                place,
                f"{' and '.join(old)} may be used, and RFC 8996 withdrew it in 2021",
                nginx=value,
                fix=GOOD,
                edits=edits.replaced(place, GOOD) if value.directive else edits.added_in(place, GOOD),
            )
    names = {name for server in secured for name in _names(server)}
    for server, routes in site.by_server:
        if names & _names(server) and _in_the_clear(server, routes):
            yield _clear(server)


def _names(server: Scope) -> set[str]:
    return {name for line in server.here.children("server_name") for name in line.args} or {""}


def _in_the_clear(server: Scope, routes: tuple[Route, ...]) -> bool:
    """Whether the application is served on port 80 to strangers, and nothing sends them on."""
    opened = any(one.port == 80 and one.public and not one.tls for one in listeners(server.here))
    whole = any(takes_everything(route.scope.here) for route in routes)
    return opened and whole and not any(_sends_on(one) for one in server.here.walk())


def _sends_on(one: Directive) -> bool:
    """A redirect to https, or to what a variable holds."""
    return one.name in ("return", "rewrite") and any(re.match(r"https:|\$(?!scheme:)", word) for word in one.args)


def _clear(server: Scope) -> Finding:
    lines = [line for line in server.here.children("listen") if line.args and "ssl" not in line.args]
    name = " ".join(sorted(_names(server))) or "_"
    return at(
        RULE,
        lines[0] if lines else server.here,
        "the application is also served on port 80: passwords and cookies travel in the clear",
        nginx=lines[0].text if lines else "listen 80 (default)",
        fix=f"server {{    # instead of this listen\n    listen 80;\n    server_name {name};\n"
        "    return 301 https://$host$request_uri;\n}",
    )
