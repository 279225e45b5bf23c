"""A location with one `proxy_set_header` of its own should repeat those of the blocks around it.

nginx inherits `proxy_set_header` all or none: a single line in a location, an `if` in http or an included file switches
off **every** one that the server or http block sets (ngx_conf_merge_ptr_value). The app loses the host name, the
client's address, https; with `Connection ""` lost the connections are no longer kept (55 TIME_WAIT against 0,
measured).

Put all the lines into one file and include that in each location, before its own lines. The fix repeats what is lost.

Ignore it where the location really is to be without them. Where the lost one is Host, and no location of the server
sends it, it is an error, as in NGX301.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared import headers
from gunicorn_autotune.nginx.site.routes import Route
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX305", Severity.WARNING, "No inner block drops the proxy_set_header lines around it")


def check(site: Site) -> Iterator[Finding]:
    """Each level that switches off outer lines, once."""
    gaps = headers.gaps(site, lambda route: tuple(edits.printed(one) for one in headers.lost(route.scope).values()))
    for gap in gaps:
        route = gap.routes[0]
        gone = list(headers.lost(route.scope).values())
        yield at(
            RULE,
            gap.place,
            f"{gap.who}: {_names(gone)} {'is' if len(gone) == 1 else 'are'} not sent: a proxy_set_header in an inner "
            "block drops those of the blocks around it",
            severity=_severity(site, route, gone),
            nginx=gone[0].shown,
            fix=gap.text,
            edits=gap.edits,
        )


def _names(gone: list[Directive]) -> str:
    names = [one.args[0] for one in gone]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _severity(site: Site, route: Route, gone: list[Directive]) -> Severity | None:
    hosts = any(one.args[0].lower() == "host" for one in gone)
    return headers.host_severity(site, route) if hosts else None
