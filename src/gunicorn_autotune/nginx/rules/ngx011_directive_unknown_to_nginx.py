"""Every keepalive directive must be known to the nginx that reads it.

nginx refuses the whole file for one line it does not know: the reload fails and the old configuration stays, or, after
a restart, nothing runs at all. What is new among the lines that recipes for Gunicorn use: `keepalive_timeout` and
`keepalive_requests` in an upstream since 1.15.3, `keepalive_time` since 1.19.10, `http2 on;` since 1.25.1,
`keepalive_min_timeout` since 1.27.4, `proxy_http_version 2` since 1.29.4, `keepalive 0;` and `keepalive 32 local;`
since 1.29.7 (each refused by the version before; Debian 12 has 1.22.1, Ubuntu 24.04 has 1.24.0).

Do what the fix says, or upgrade nginx. If another version will read this file, name it with `--nginx-version`. The rule
is silent where `nginx -t` passed here.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.site import defaults
from gunicorn_autotune.nginx.site.scope import Scope
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX011", Severity.WARNING, "This nginx knows every keepalive directive")
MIN_TIMEOUT, HTTP2_UPSTREAM = (1, 27, 4), (1, 29, 4)


def check(site: Site) -> Iterator[Finding]:
    """Each line that this version of nginx refuses."""
    if site.host.test is not None and site.host.test.passed:
        return
    for scope in site.scopes():
        for line in scope.here.block or ():
            since = _since(line, scope.here.name)
            if since is not None and site.numbers < since:
                fix, change = _cure(line, scope, site)
                yield at(
                    RULE,
                    line,
                    f"nginx {site.version} refuses `{line.text};`: it needs {'.'.join(map(str, since))} or later",
                    nginx=f"nginx {site.version}",
                    fix=fix,
                    edits=change,
                )


def _since(line: Directive, block: str) -> tuple[int, ...] | None:
    """The first nginx that takes a line; None for lines this rule does not judge."""
    if line.name == "keepalive" and block == "upstream":
        newer = line.args[:1] == ("0",) or "local" in line.args[1:]
        return defaults.KEPT_BY_DEFAULT if newer else None
    if line.name in ("keepalive_timeout", "keepalive_requests") and block == "upstream":
        return defaults.UPSTREAM_TIMEOUT
    if line.name == "proxy_http_version" and line.args == ("2",):
        return HTTP2_UPSTREAM
    return {
        "keepalive_time": defaults.KEEPALIVE_TIME,
        "http2": defaults.HTTP2_DIRECTIVE,
        "keepalive_min_timeout": MIN_TIMEOUT,
    }.get(line.name)


def _cure(line: Directive, scope: Scope, site: Site) -> tuple[str, edits.Edits]:
    """The line in words that this nginx knows, and the same as a change."""
    text = ""
    if line.name == "keepalive" and line.args[0] != "0":
        text = f"keepalive {line.args[0]};"
    elif line.name == "proxy_http_version":
        text = "proxy_http_version 1.1;"
    elif line.name == "keepalive_time" and scope.here.name == "upstream" and site.numbers >= defaults.UPSTREAM_TIMEOUT:
        text = "" if scope.here.child("keepalive_requests") else "keepalive_requests 100;"
    elif line.name == "http2" and line.args == ("on",):
        return _listening(line, scope)
    return text or f"# delete `{line.text};`", edits.replaced(line, text)


def _listening(line: Directive, scope: Scope) -> tuple[str, edits.Edits]:
    """Before 1.25.1 it is a word of `listen`."""
    sockets = [one for one in scope.here.children("listen") if "ssl" in one.args and "http2" not in one.args]
    texts = [f"{one.text} http2;" for one in sockets]
    change = tuple(edit for one, text in zip(sockets, texts, strict=True) for edit in edits.replaced(one, text))
    fix = "\n".join([f"# instead of `{line.text};`", *(texts or ["listen 443 ssl http2;"])])
    return fix, change + edits.removed(line) if sockets else ()
