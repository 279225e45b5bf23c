"""Status pages and metrics should be open only to those who watch the server.

`stub_status`, Prometheus metrics and autotune's `/status.json` tell a stranger how many clients you have, when you are
busiest, which versions run, and often the paths and names inside the application. They need no address on the internet.

Say who may see them: `allow` lines for the loopback and for your monitoring, and **`deny all;` behind them**. An
`allow` alone forbids nothing, which is the one case that a patch puts right: without one nobody here knows who watches.
Better still, give them a server of their own on `127.0.0.1:8081`: then no location can be forgotten. The check runs
against the address nginx sees: behind a load balancer that is the balancer's, unless `set_real_ip_from` names it, and
`allow 127.0.0.1` with a proxy on the same host lets everybody in.

An error for `stub_status` and for autotune's exporter on a server that strangers reach at port 80 or 443; a warning on
another port, and for a location named `/metrics` that leads elsewhere. Passwords, `auth_request`, client certificates,
an `if` that refuses, and private addresses count as protection. Ignore it where a firewall decides who comes this far.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.site.listening import listeners
from gunicorn_autotune.nginx.site.locations import pattern_of
from gunicorn_autotune.nginx.site.scope import Scope
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX704", Severity.ERROR, "Status pages and metrics are not open to everybody")
_STATUS = ("stub_status", "vhost_traffic_status_display")
_METRICS = re.compile(r"/(metrics|autotune|status\.json)(/|$)")
_USUAL_PORTS = frozenset({80, 443})


def check(site: Site) -> Iterator[Finding]:
    """Each location with figures about the server that a stranger may read."""
    for scope in site.scopes("location"):
        told = _told(site, scope)
        server = scope.server
        if not told or server is None or _protected(scope):
            continue
        open_to = [one for one in listeners(server.here) if one.public]
        if not open_to:
            continue
        what, sure = told
        usual = any(one.port in _USUAL_PORTS for one in open_to)
        yield at(
            RULE,
            scope.here,
            f"{scope.here.text} shows {what} to everybody who reaches this server{_half(scope)}",
            severity=None if sure and usual else Severity.WARNING,
            nginx=_rules(scope),
            fix=f"{_lines(scope)}    # and allow your monitoring",
            edits=edits.added_in(scope.here, "deny all;") if scope.here.children("allow") else (),
        )


def _told(site: Site, scope: Scope) -> tuple[str, bool] | None:
    """What is shown here, and whether that is sure."""
    if any(scope.here.children(name) for name in _STATUS):
        return "nginx's status", True
    passed = scope.here.child("proxy_pass")
    if passed is None:
        return None
    exporter = str((site.gunicorn.policy or {}).get("metrics", "")) if site.gunicorn else ""
    if exporter and passed.text.partition("://")[2].partition("/")[0] == exporter:
        return "autotune's figures", True
    if _METRICS.match(pattern_of(scope.here)[1]):
        return "metrics", False
    return None


def _protected(scope: Scope) -> bool:
    """Whether somebody is kept out, or may be by means that cannot be judged here."""
    refuses = any(
        child.name == "if" and ({"return", "deny"} & {one.name for one in child.block or ()})
        for block in scope.blocks
        for child in block.block or ()
    )
    guarded = any(
        scope.value(name).text not in ("", "off")
        for name in ("auth_basic", "auth_request", "ssl_verify_client", "auth_jwt")
    )
    hidden = bool(scope.here.child("internal") or scope.here.child("return"))
    return refuses or guarded or hidden or _denies(scope)


def _denies(scope: Scope) -> bool:
    """`deny` lines in force; the nearest block with an `allow` or a `deny` has both."""
    for block in reversed(scope.blocks):
        rules = [child for child in block.block or () if child.name in ("allow", "deny")]
        if rules:
            return any(one.name == "deny" for one in rules) and rules[0].text != "allow all"
    return False


def _rules(scope: Scope) -> str:
    lines = scope.all("allow")
    return "; ".join(line.text for line in lines) if lines else "neither allow nor deny"


def _half(scope: Scope) -> str:
    return ": allow without deny all keeps nobody out" if scope.all("allow") else ""


def _lines(scope: Scope) -> str:
    own = scope.here.children("allow")
    return "deny all;" if own else "allow 127.0.0.1;\nallow ::1;\ndeny all;"
