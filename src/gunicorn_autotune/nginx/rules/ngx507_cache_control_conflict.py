"""Cache lifetimes should be stated once, and `immutable` only for names that change with the content.

`immutable` tells a browser never to ask again, not even on reload, until the time is over: right for `app.3f2a91.js`,
wrong for `app.css`, which a visitor then keeps for a month after your release. `expires 30d;` alone lets a reload
fetch the new one.

`expires` and `add_header Cache-Control` do not know of each other: nginx sends **two** Cache-Control lines
(`max-age=2592000` and `public, immutable`, measured on 1.22.1). Browsers add them up; where they contradict each other
(`no-store` next to `max-age`), each cache on the way decides for itself. Say it in one line.

Ignore the first where the build puts a hash into every name. Folders and expressions whose names say so
(`/_next/static`, `\\.[0-9a-f]{8}\\.`) are not asked, nor is anything behind a variable.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.site.locations import locations_of, pattern_of
from gunicorn_autotune.nginx.site.scope import Scope, Value
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX507", Severity.INFO, "Cache lifetimes are stated once, and immutable only for hashed names")
_MAX_SECONDS = 315360000
"""`expires max`: ten years (ngx_http_headers_filter_module.c)."""
_HASHED = re.compile(r"(?i)hash|_next|_nuxt|immutable|webpack|vite|\[[0-9a-fx-]*\]|\\[wdh]|\{\d")


def check(site: Site) -> Iterator[Finding]:
    """Each place of Gunicorn's servers that tells caches two things, or too much."""
    for server in site.servers:
        for scope in (server, *locations_of(server)):
            for line in scope.here.children("add_header"):
                if len(line.args) > 1 and line.args[0].lower() == "cache-control" and "$" not in line.args[1]:
                    yield from _judged(scope, line)


def _judged(scope: Scope, line: Directive) -> Iterator[Finding]:
    expires = scope.value("expires")
    forever = "immutable" in line.args[1].lower() and not _HASHED.search(pattern_of(scope.here)[1])
    twice = expires.directive is not None and expires.text != "off" and "$" not in expires.text
    kept = [part.strip() for part in line.args[1].split(",")]
    kept = [part for part in kept if part and not (forever and part.lower() == "immutable")]
    seconds = _MAX_SECONDS if expires.text == "max" else expires.seconds
    if twice and seconds is not None and not any(_says_how_long(part) for part in kept):
        kept.append(f"max-age={seconds:.0f}")
    text = edits.printed(dataclasses.replace(line, args=(line.args[0], ", ".join(kept), *line.args[2:])))
    change = edits.replaced(line, text) if kept else edits.removed(line)
    if forever:
        message = "an immutable file is not asked for again before it expires, even if its content has changed"
        yield at(RULE, line, message, nginx=f"{line.text} ({line.place})", fix=text, edits=() if twice else change)
    if twice:
        message = f"two Cache-Control lines are sent: one by {expires}, one by this add_header"
        fix = f"{text}    # and no expires here"
        yield at(RULE, line, message, nginx=expires, fix=fix, edits=change + _without(scope, expires))


def _says_how_long(part: str) -> bool:
    return part.lower().startswith(("max-age", "no-store", "no-cache"))


def _without(scope: Scope, expires: Value) -> edits.Edits:
    """`expires` taken out here, and only here."""
    own = expires.directive if expires.directive in (scope.here.block or ()) else None
    return edits.removed(own) if own else edits.added_in(scope.here, "expires off;")
