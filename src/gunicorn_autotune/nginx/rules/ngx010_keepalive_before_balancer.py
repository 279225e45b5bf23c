"""`keepalive` must stand after the balancing method.

Before nginx 1.29.7 `least_conn`, `ip_hash`, `hash` or `random` written after `keepalive` takes its place. `nginx -t`
passes with a warning ("load balancing method redefined"), and no connection is kept any more: 61 sockets in TIME_WAIT
against 0 after the same 60 requests. From 1.29.7 on any order is accepted.

Move the `keepalive` line below the method. With a single Gunicorn the method means nothing anyway (NGX207): deleting
it does as well.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared import contract
from gunicorn_autotune.nginx.site import defaults, keepalive
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX010", Severity.WARNING, "keepalive stands after the balancing method")


def check(site: Site) -> Iterator[Finding]:
    """Each upstream whose keepalive is replaced by the method below it."""
    unused = site.gunicorn is not None and not contract.keeps(site.gunicorn)
    if unused or site.numbers >= defaults.KEPT_BY_DEFAULT:
        return
    for upstream in site.upstreams:
        line, method = upstream.value("keepalive"), keepalive.late_balancer(upstream)
        if line is not None and method is not None and method.directive is not None:
            late, late_edits = contract.with_keeping(site, upstream)
            moved = edits.removed(line) + edits.added_after(method.directive, f"{line.text};")
            yield at(
                RULE,
                line,
                f"{line.text} has no effect: {method.name} in line {method.directive.line} replaces it",
                nginx=f"{line.text} ({line.place}), {method}",
                severity=Severity.INFO if contract.loses(site.gunicorn) else None,
                fix="\n".join([f"{method.directive.text};", f"{line.text};", *late]),
                edits=() if late_edits is None or contract.loses(site.gunicorn) else (*moved, *late_edits),
            )
