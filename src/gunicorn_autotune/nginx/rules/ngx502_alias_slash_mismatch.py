"""`location` and `alias` should both end in a slash.

nginx cuts the location's text off the path and puts the alias in its place, letter by letter. So a slash too few opens
doors. With `alias /srv/app/static/` in `location /static`, the request `/static../settings.py` becomes
`/srv/app/static/../settings.py` and **hands out the application's source and its secrets** (nginx 1.22.1: 200). With
no slash at either end, `/static_private/key` becomes `/srv/app/static_private/key`: every file and folder next door
whose name begins with `static` is public. With a slash at the location only, `/static/app.css` becomes
`/srv/app/staticapp.css`: nothing is found, and what lies in `/srv/app/static_private/` is still handed out.

Write both with the slash: `location /static/ { alias /srv/app/static/; }`. For one file write `location = /robots.txt`.
Where people may ask for the folder by its bare name (/docs), send them on: `location = /docs { return 301 /docs/; }`.

An error where files above the folder can be had or nothing is found, a warning where only neighbours are public, a note
for a single file. Locations that are exact, internal or regular expressions, and paths that end in a variable, are not
judged. Ignore the warning where nothing with such a name lies next door, and never will.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import replace

from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.site.locations import EXACT, FINAL_PREFIX, PREFIX, for_static, for_uploads, pattern_of
from gunicorn_autotune.nginx.site.scope import Scope
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write.edits import printed, quoted, replaced

RULE = Rule("NGX502", Severity.ERROR, "location and alias both end in a slash")


def check(site: Site) -> Iterator[Finding]:
    """Each prefix location whose alias lets out more, or less, than its folder."""
    for scope in site.scopes("location"):
        alias, (kind, path) = scope.here.child("alias"), pattern_of(scope.here)
        if alias is None or not alias.args or kind not in (PREFIX, FINAL_PREFIX) or scope.here.child("internal"):
            continue
        said = _judged(path, alias.args[0], tried=scope.here.child("try_files") is not None)
        if said:
            message, severity = said
            cured = _cured(scope, alias)
            yield at(
                RULE,
                alias,
                message,
                severity=severity,
                nginx=f"{alias.text} in {scope.here.text} ({alias.place})",
                fix=cured,
                edits=replaced(scope.here, cured),
            )


def _judged(path: str, target: str, *, tried: bool) -> tuple[str, Severity | None] | None:
    """What a client can get; None where all is well, or where a variable's end decides."""
    if target.endswith("/"):
        above = posixpath.dirname(target.rstrip("/"))
        return None if path.endswith("/") else (f"{path}../settings.py is answered with {above}/settings.py", None)
    if "$" in target.rpartition("/")[2]:
        return None
    if path.endswith("/"):
        lost = f"{path}app.css is looked for as {target}app.css: it is not found, but files beside the folder are"
        return lost, Severity.WARNING if tried else None
    if _is_file(path, target):
        return f"{path}.bak is answered with {target}.bak: names that begin alike are public too", Severity.INFO
    return f"{path}_old/x is answered with {target}_old/x: folders that begin alike are public too", Severity.WARNING


def _is_file(path: str, target: str) -> bool:
    """`location /robots.txt` with a file of that name."""
    return "." in posixpath.basename(path) and posixpath.splitext(path)[1] == posixpath.splitext(target)[1]


def _cured(scope: Scope, alias: Directive) -> str:
    """The location as it should be; a folder that is asked for without its slash is sent to the one with it.

    nginx does that by itself only for `proxy_pass` and its like: without the line /docs would now go to Gunicorn.
    """
    location = scope.here
    (kind, path), target = pattern_of(location), alias.args[0]
    bare = "" if path.endswith("/") or for_static(location) or for_uploads(location) else path
    if _is_file(path, target):
        kind, bare = EXACT, ""
    else:
        path, target = f"{path.rstrip('/')}/", f"{target.rstrip('/')}/"
    args = (kind, path) if kind else (path,)
    block = (replace(one, args=(target,)) if one is alias else one for one in location.block or ())
    cured = printed(replace(location, args=args, block=tuple(block)))
    around = scope.blocks[-2]
    exact = any(pattern_of(child) == (EXACT, bare) for child in around.children("location"))
    sent_on = f"\nlocation = {quoted(bare)} {{\n    return 301 {quoted(path)};\n}}"
    return cured + (sent_on if bare and not exact else "")
