"""The app should learn who the client is, and whether the client used https.

To Gunicorn every request comes from nginx. The client's address arrives only as `X-Forwarded-For` (or `X-Real-IP`);
without it logs, rate limits and bans all see 127.0.0.1. Where nginx ends TLS, https arrives only as
`X-Forwarded-Proto`: without it the app builds http:// links, sets no secure cookies, and one that insists on https
redirects for ever. And a header that nginx does not set passes through as the client wrote it, so that anybody may
claim any address.

Set both. `$proxy_add_x_forwarded_for` appends the client's address to what came, so the last entry is the one to
believe.

Ignore it behind another proxy that sets these headers and is the only one that can reach nginx: passing them through
is right then. A server without TLS is not asked for `X-Forwarded-Proto` for the same reason.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared import headers
from gunicorn_autotune.nginx.site.routes import Route
from gunicorn_autotune.nginx.site.site import Site

RULE = Rule("NGX302", Severity.WARNING, "The app learns the client's address and scheme")
_ADDRESS = ("X-Forwarded-For", "X-Real-IP", "Forwarded")
_SCHEME = (*headers.SCHEME_HEADERS, "X-Forwarded-Scheme", "X-Scheme", "Forwarded")
_ADDRESS_LINES = (
    "proxy_set_header X-Real-IP $remote_addr;",
    "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
)
_SCHEME_LINE = "proxy_set_header X-Forwarded-Proto $scheme;"


def check(site: Site) -> Iterator[Finding]:
    """Each place where lines are missing."""
    for gap in headers.gaps(site, _missing):
        lost = {"X-Forwarded-For": "the client's address", "X-Forwarded-Proto": "https"}
        names = [name for name in lost if name in gap.text]
        yield at(
            RULE,
            gap.place,
            f"{gap.who}: no {' and no '.join(names)} is sent, {' and '.join(lost[name] for name in names)} "
            f"{'is' if len(names) == 1 else 'are'} lost on the way to the app",
            nginx=f"no such proxy_set_header for {gap.routes[0].proxy_pass.shown}",
            fix=gap.text,
            edits=gap.edits,
        )


def _missing(route: Route) -> tuple[str, ...]:
    address = _ADDRESS_LINES if headers.unset(route, *_ADDRESS) else ()
    ended = headers.ends_tls(route) and route.scheme == "http"
    return (*address, _SCHEME_LINE) if ended and headers.unset(route, *_SCHEME) else address
