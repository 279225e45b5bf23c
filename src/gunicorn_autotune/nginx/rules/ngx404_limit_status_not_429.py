"""There should be limits, and a client over its limit should get 429.

`limit_req` and `limit_conn` answer 503 unless told otherwise. That is what a broken server says: dashboards count an
outage, a load balancer in front takes the host out, and an error page apologises to the very client that was to be
slowed down. 429 "Too Many Requests" is the answer for one client that asks too much; browsers and API clients know it.

Write `limit_req_status 429;` and `limit_conn_status 429;` where the limits stand. Without any limit (only mentioned),
one client can take every worker and the whole backlog. Count by client address, and mind who is the client: behind a
CDN or a load balancer `$binary_remote_addr` is *its* address until `set_real_ip_from` names it, and one limit would
then hold for everybody.

Nothing is said about limits that count all clients together (by `$server_name`): there 503 is the truth. Ignore the
missing limit where something in front has one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.site.scope import Scope
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX404", Severity.WARNING, "Clients over a limit get 429")
LIMITS = ("limit_req", "limit_conn")
_COMMON = frozenset({"server_name", "host", "http_host", "server_port", "server_addr", "scheme"})
"""Variables that are the same for every client of a server."""


def check(site: Site) -> Iterator[Finding]:
    """Limits per client that answer 5xx; the absence of any."""
    seen: set[tuple[int, ...]] = set()
    limited, keys = False, _keys(site)
    for route in site.routes:
        for name in LIMITS:
            lines = route.scope.all(name)
            limited = limited or bool(lines)
            mark = tuple(id(one) for one in (*lines, *route.scope.all(f"{name}_status")))
            if _per_client(keys, lines) and mark not in seen:
                seen.add(mark)
                yield from _status(route.scope, name, lines)
    if site.servers and not limited:
        yield _none(site, site.servers[0])


def _status(scope: Scope, name: str, lines: list[Directive]) -> Iterator[Finding]:
    status, dry = scope.value(f"{name}_status"), scope.value(f"{name}_dry_run")
    if not status.text.isdigit() or int(status.text) < 500 or dry.text == "on":
        return
    text = f"{name}_status 429;"
    yield at(
        RULE,
        status.directive or lines[-1],
        f"{name} answers {status.text} to a client over its limit, which looks like an outage",
        nginx=status,
        fix=text,
        edits=edits.replaced(status.directive, text) if status.directive else edits.added_after(lines[-1], text),
    )


def _per_client(keys: dict[str, str], lines: list[Directive]) -> bool:
    """Whether some limit is kept for each client; one whose zone nobody defines counts as such."""
    zones = [_zone(one.args) or "".join(one.args[:1]) for one in lines]
    return any(zone not in keys or set(re.findall(r"\$\{?(\w+)", keys[zone])) - _COMMON for zone in zones)


def _zone(words: tuple[str, ...]) -> str:
    """`one` of `zone=one:10m`."""
    return next((word[5:].partition(":")[0] for word in words if word.startswith("zone=")), "")


def _keys(site: Site) -> dict[str, str]:
    """What each zone counts by."""
    found = {}
    for one in (child for http in site.root.children("http") for child in http.block or ()):
        if one.name in ("limit_req_zone", "limit_conn_zone") and len(one.args) > 1:
            found[_zone(one.args[1:])] = one.args[0]
    return found


def _none(site: Site, server: Scope) -> Finding:
    return at(
        RULE,
        server.here,
        "no limit_req or limit_conn before Gunicorn: one client can take every worker",
        severity=Severity.INFO,
        nginx="no limit_req, no limit_conn",
        gunicorn=site.gunicorn.shown("backlog") if site.gunicorn else "",
        fix="limit_req_zone $binary_remote_addr zone=per_client:10m rate=10r/s;    # in http\n"
        "limit_req zone=per_client burst=20 nodelay;    # in this server\nlimit_req_status 429;",
    )
