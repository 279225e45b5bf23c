"""`forwarded_allow_ips = "*"` needs a Gunicorn that only nginx can reach.

With `*` Gunicorn believes everybody. Whoever reaches it past nginx may claim https with `X-Forwarded-Proto`, and
with the header `SCRIPT_NAME: /secret` turns the path /secret/x into /x, which walks past every check of the path's
beginning (measured with 27.0.1: PATH_INFO /x).

Bind to 127.0.0.1 or to a UNIX socket; where nginx runs elsewhere, write its address instead of `*`.

It is an error at an address of the public internet. At 0.0.0.0 or in a private network it is a warning: ignore it in a
container whose port nobody but nginx can reach.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity, at
from gunicorn_autotune.nginx.site import trust
from gunicorn_autotune.nginx.site.gunicorn import Bind, binds
from gunicorn_autotune.nginx.site.site import LOOPBACK, Site

RULE = Rule("NGX304", Severity.ERROR, "Only nginx's headers are believed", frozenset({Need.GUNICORN}))


def check(site: Site) -> Iterator[Finding]:
    """One finding, at the line that leads to Gunicorn."""
    gunicorn = site.gunicorn
    if gunicorn is None or trust.ANY not in gunicorn.get("forwarded_allow_ips", ()):
        return
    open_to = [bind for bind in binds(gunicorn) if not bind.path and bind.host not in LOOPBACK and not _inner(bind)]
    peers = [peer for upstream in site.upstreams for peer in upstream.peers]
    if open_to:
        public = any(_public(bind) for bind in open_to)
        yield at(
            RULE,
            peers[0].directive if peers else site.root,
            f"anyone who reaches {open_to[0].text} past nginx may forge the scheme and SCRIPT_NAME: Gunicorn believes "
            "every address",
            severity=None if public else Severity.WARNING,
            nginx=peers[0].directive.shown if peers else "",
            gunicorn=f"{gunicorn.shown('forwarded_allow_ips')}, {gunicorn.shown('bind')}",
            fix='forwarded_allow_ips = "127.0.0.1,::1"    # or the address of nginx, in Gunicorn\'s configuration file',
        )


def _inner(bind: Bind) -> bool:
    return bind.host.startswith("127.")


def _public(bind: Bind) -> bool:
    try:
        return ipaddress.ip_address(bind.host).is_global
    except ValueError:
        return False
