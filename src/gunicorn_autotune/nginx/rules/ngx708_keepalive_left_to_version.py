"""The configuration should say whether connections to Gunicorn are kept, and not leave it to nginx's version.

Until 1.29.6 an `upstream` without a `keepalive` line closed each connection after its answer. Since **1.29.7** (March
2026; stable 1.30) the same file keeps 32 of them for 60 s each, and speaks HTTP/1.1. Nobody changed a line, and yet:
with gthread and Gunicorn's default `keepalive = 2`, 0 of 2,400 POSTs failed on 1.29.6, **88 on 1.30.4 and 106 on
1.31.4**. NGX001 tells whether the times fit now; this rule says that the next upgrade, or downgrade, decides again.

Write it: `keepalive 32;` with a `keepalive_timeout` below Gunicorn's `keepalive`, which is the faster way (39 to 74 %
more requests a second with 32 clients), or `keepalive 0;` for none. `keepalive 0;` is refused before 1.29.7.

sync workers close every connection themselves: then nothing is said. Only mentioned where the times fit anyhow.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared import contract
from gunicorn_autotune.nginx.site import defaults, keepalive
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits, fitting
from gunicorn_autotune.nginx.write.edits import not_yet
from gunicorn_autotune.nginx.write.options import Options

RULE = Rule("NGX708", Severity.WARNING, "Whether connections are kept is written in the configuration")


def check(site: Site) -> Iterator[Finding]:
    """Each upstream whose connections are kept because nobody said anything."""
    if site.numbers < defaults.KEPT_BY_DEFAULT:
        return
    for upstream, _ in contract.kept_upstreams(site):
        declared = keepalive.declared_keepalive(upstream, site.version)
        if upstream.block is None or declared.directive is not None:
            continue
        idle = keepalive.idle_timeout(upstream, site.version)
        fits = site.gunicorn is not None and contract.outlasting(upstream, site.version, site.gunicorn) is None
        lines = _lines(site, upstream.block)
        yield at(
            RULE,
            upstream.block,
            f"upstream {upstream.name} says nothing about keepalive: nginx {site.version} keeps {declared.args[0]} "
            f"connections for {idle.text} each, 1.29.6 and older none",
            severity=Severity.INFO if fits else None,
            nginx=declared,
            gunicorn=site.gunicorn.shown("keepalive") if site.gunicorn else "",
            fix=lines,
            edits=edits.added_in(upstream.block, lines),
        )


def _lines(site: Site, block: Directive) -> str:
    """Kept for a shorter time than Gunicorn does; not at all where it leaves no room, or loses kept requests."""
    gunicorn = site.gunicorn
    if gunicorn is None:
        return not_yet(block, ("keepalive 32;", "keepalive_timeout 1s;"))
    if fitting.why_not_kept(gunicorn, Options(nginx_version=site.version)):
        return "keepalive 0;"
    return not_yet(block, contract.kept_lines(site, gunicorn).splitlines())
