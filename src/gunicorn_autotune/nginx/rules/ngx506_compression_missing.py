"""Text should be sent compressed: HTML, JSON, style sheets, scripts.

nginx's `gzip` is off by default, and where it is on it compresses `text/html` alone until `gzip_types` names the rest:
Debian's stock file has exactly that gap. A JSON answer of 67 kB left as **11 kB at level 5 for 0.65 ms of CPU**; at
level 6 it took 1.4 ms and at level 9 4.3 ms for 7 and 10 % less (zlib on this project's test host): above 6 the CPU
time is wasted. Level 1, the default, gave 15 kB.

The lines of the fix go into `http` or a server. `text/html` is always compressed; naming it makes nginx warn "duplicate
MIME type" at each start. Behind another proxy that adds a `Via` header (CloudFront) nothing is compressed without
`gzip_proxied any;`. Pages that show a secret (a CSRF token) next to text from the request are better left uncompressed
over TLS, or the secret masked as Django does (BREACH).

Ignore it where a CDN or the application compresses. `gzip off` in a location says that it is meant there, brotli or
zstd count as well.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.site.scope import Scope, Value
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits
from gunicorn_autotune.nginx.write.edits import not_yet

RULE = Rule("NGX506", Severity.WARNING, "Text is compressed, at a level that is worth its CPU")
TYPES = "text/plain text/css application/json application/javascript text/javascript application/xml image/svg+xml"
WANTED = {
    "JSON": ("application/json",),
    "style sheets": ("text/css",),
    "scripts": ("application/javascript", "text/javascript"),
}
LINES = ("gzip on;", "gzip_comp_level 5;", "gzip_min_length 256;", "gzip_vary on;", f"gzip_types {TYPES};")
NAMES = ("gzip", "gzip_types", "gzip_comp_level", "brotli", "zstd")
HIGHEST_LEVEL = 6


def check(site: Site) -> Iterator[Finding]:
    """What is in force for Gunicorn's answers, told once for each place that decides it."""
    seen: set[tuple[int, ...]] = set()
    for route in site.routes:
        deciding = tuple(id(route.scope.value(name).directive) for name in NAMES)
        if deciding not in seen:
            seen.add(deciding)
            yield from _judged(site, route.scope)


def _judged(site: Site, scope: Scope) -> Iterator[Finding]:
    http = (scope.outwards("http") or site.main).here
    gzip = scope.value("gzip")
    if gzip.text != "on":
        # Off in a server or location is a decision, not an omission.
        chosen = gzip.directive is not None and gzip.directive not in (http.block or ())
        if not chosen and "on" not in (scope.value("brotli").text, scope.value("zstd").text):
            yield _off(http, gzip)
        return
    yield from _types(scope, gzip)
    level = scope.value("gzip_comp_level")
    if level.directive is not None and level.text.isdigit() and int(level.text) > HIGHEST_LEVEL:
        yield at(
            RULE,
            level.directive,
            f"gzip level {level.text} takes several times the CPU of level 5 for about 10 % fewer bytes",
            nginx=level,
            fix="gzip_comp_level 5;",
            edits=edits.replaced(level.directive, "gzip_comp_level 5;"),
        )


def _off(http: Directive, gzip: Value) -> Finding:
    lines = not_yet(http, LINES)
    return at(
        RULE,
        gzip.directive or http,
        "text is sent uncompressed; JSON would shrink to about a sixth",
        nginx=gzip,
        fix=lines or "gzip on;",
        edits=edits.replaced(gzip.directive, "gzip on;") if gzip.directive else edits.added_in(http, lines),
    )


def _types(scope: Scope, gzip: Value) -> Iterator[Finding]:
    types = scope.value("gzip_types")
    written = types.args if types.directive else ()
    if "*" in written:
        return
    missing = [what for what, names in WANTED.items() if not set(names) & set(written)]
    kept = [name for name in written if name != "text/html"]
    added = [name for what in missing for name in WANTED[what]]
    text = f"gzip_types {' '.join(kept + added) if written else TYPES};"
    place = types.directive or gzip.directive or scope.here
    change = edits.replaced(place, text) if types.directive else edits.added_after(place, text)
    if missing:
        severity = None if "JSON" in missing else Severity.INFO
        why = "they are not in gzip_types" if written else "without gzip_types only text/html is compressed"
        message = f"gzip leaves out {', '.join(missing)}: {why}"
        yield at(RULE, place, message, severity=severity, nginx=types, fix=text, edits=change)
    if "text/html" in written:
        message = "text/html is always compressed; naming it makes nginx warn of a duplicate at each start"
        yield at(RULE, place, message, severity=Severity.INFO, nginx=types, fix=text, edits=change)
