"""Gunicorn's app must learn the host name that the client asked for.

Unless `proxy_set_header Host` says otherwise, nginx sends the name written in `proxy_pass`: the app sees `shop`, the
name of an upstream, or `127.0.0.1:8000` (measured with nginx 1.22.1). Django answers **400** unless that name is in
ALLOWED_HOSTS, its CSRF check of the origin fails, redirects and links in mails point to a host that nobody can reach,
and sites told apart by their names become one.

Write `proxy_set_header Host $host;`. `$host` is what nginx itself matched against `server_name`; `$http_host` is
whatever the client wrote, even where the two differ.

It is a warning where other locations of the same server do send Host: this one may be special, as a health check is.
A Host set to something else on purpose is never reported, and one that a line further in switched off is NGX305's.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared import headers
from gunicorn_autotune.nginx.site.routes import Route
from gunicorn_autotune.nginx.site.site import Site

RULE = Rule("NGX301", Severity.ERROR, "The app sees the host name that the client asked for")


def check(site: Site) -> Iterator[Finding]:
    """Each place where the line would have to stand."""

    def missing(route: Route) -> tuple[str, ...]:
        nameless = headers.unset(route, "Host") and not _foreign(site, route)
        return ("proxy_set_header Host $host;",) if nameless else ()

    for gap in headers.gaps(site, missing):
        route = gap.routes[0]
        yield at(
            RULE,
            gap.place,
            f"{gap.who}: the client's Host is not sent, so the app sees {_sent(route)} as its own name",
            severity=headers.host_severity(site, route),
            nginx=f"proxy_set_header Host $proxy_host (default of nginx {site.version})",
            fix=gap.text,
            edits=gap.edits,
        )


def _foreign(site: Site, route: Route) -> bool:
    """A public name in proxy_pass itself is somebody else's server as a rule, and wants its own name."""
    implicit = route.upstream.block is None and not route.upstream.name.startswith("unix:")
    host = route.upstream.peers[0].host if route.upstream.peers else ""
    return not site.found and implicit and "." in host and not host.replace(".", "").isdigit()


def _sent(route: Route) -> str:
    return "localhost" if route.upstream.name.startswith("unix:") else route.upstream.name
