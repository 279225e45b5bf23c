"""A block with an `add_header` of its own should repeat those of the blocks around it.

`add_header` is inherited only as a whole: one `add_header` in a location drops all those of the server and of http, and
nginx says nothing. So the `Cache-Control` of the static files costs them `X-Content-Type-Options`, and one line in
`location /` takes `Strict-Transport-Security` off the whole application: browsers go on with plain http, and a page may
be framed again.

Repeat the outer lines in the inner block, best by an `include` of one file at both places. Since nginx 1.29.3
`add_header_inherit merge;` in the inner block does it in one line. Mind `always` at the end of a security header:
without it nginx leaves the header off error pages.

A warning where a security header is lost, a remark where it is another one. Ignore it where the header is meant to be
gone: `add_header NAME "";` in the inner block says so, and so does `add_header_inherit off;`.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.site.scope import Scope
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX508", Severity.WARNING, "No block drops the headers of the blocks around it")
MERGES = (1, 29, 3)
"""First with `add_header_inherit` (change log of 1.29.3)."""
_SECURITY = (
    "strict-transport-security",
    "content-security-policy",
    "x-frame-options",
    "x-content-type-options",
    "referrer-policy",
    "permissions-policy",
    "cross-origin-",
    "x-xss-protection",
)


def check(site: Site) -> Iterator[Finding]:
    """Each block of Gunicorn's servers with add_header lines that hide others."""
    servers = {id(server.here) for server in site.servers}
    for scope in site.scopes("server", "location", "if"):
        if scope.here.children("add_header") and any(id(block) in servers for block in scope.blocks):
            yield from _lost(scope, site)


def _lost(scope: Scope, site: Site) -> Iterator[Finding]:
    if scope.value("add_header_inherit").text in ("merge", "off"):
        return
    own, *outer = scope.levels("add_header")
    names = {line.args[0].lower() for line in own if line.args}
    lost = [line for line in (outer[0] if outer else ()) if line.args and line.args[0].lower() not in names]
    if not lost:
        return
    serious = any(line.args[0].lower().startswith(_SECURITY) for line in lost)
    text = "\n".join(edits.printed(line) for line in lost)
    if site.numbers >= MERGES:
        text = "add_header_inherit merge;"
    yield at(
        RULE,
        own[0],
        f"the add_header lines of {scope.here.text} drop those of {lost[0].place}: "
        f"{', '.join(line.args[0] for line in lost)}",
        severity=None if serious else Severity.INFO,
        nginx=f"{own[0].text} ({own[0].place})",
        fix=f"{text}    # in {scope.here.text}" if "\n" not in text else text,
        edits=edits.added_after(own[-1], text),
    )
