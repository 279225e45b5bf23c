"""What a location is for: which requests it takes, and whether it passes them on, streams, or serves files."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.site.scope import Scope, within
from gunicorn_autotune.nginx.site.site import Site

EXACT, FINAL_PREFIX, PREFIX, REGEX, REGEX_CASELESS, NAMED = "=", "^~", "", "~", "~*", "@"
"""The kinds of locations by their modifiers; a named one has none, its name begins with @."""

_EVERYTHING = re.compile(r"\^?/?(\(?\.\*\)?\$?)?")
_ANSWERS = frozenset({"return", "stub_status", "empty_gif", "js_content", "content_by_lua_block"})
_BEFORE, _AFTER = r"(?i)(^|[/_.@~^(|-])", r"($|[/_.)|$?-])"
_STREAMS = re.compile(
    _BEFORE + r"(\w*streams?|sse|events?|web-?sockets?|socket\.io|wss?|live|push|notifications?|subscribe|poll(ing)?|"
    r"watch|tail|logs?|progress|chat|cable|channels?|mcp|hls|completions)" + _AFTER
)
_FILES = re.compile(_BEFORE + r"(static|staticfiles|assets?|dist|build|css|js|img|images?|fonts?)" + _AFTER)
_UPLOADS = re.compile(_BEFORE + r"(media|uploads?|files?)" + _AFTER)
_EXTENSIONS = re.compile(r"(?i)\b(css|js|png|jpe\?g|jpe?g|gif|svg|ico|woff2?\??|ttf|webp)\b")


def pattern_of(location: Directive) -> tuple[str, str]:
    """Kind and pattern of a location; `=/x` and `~*\\.js` in one word are read as nginx reads them."""
    if len(location.args) >= 2:
        return location.args[0], location.args[1]
    word = location.args[0] if location.args else ""
    if word.startswith("@"):
        return NAMED, word
    for kind in (REGEX_CASELESS, REGEX, FINAL_PREFIX, EXACT):
        if word.startswith(kind):
            return kind, word[len(kind) :]
    return PREFIX, word


def takes_everything(location: Directive) -> bool:
    """Whether it takes every request that no other location takes: `/`, a named one, `~ ^/(.*)$`."""
    kind, pattern = pattern_of(location)
    if kind in (REGEX, REGEX_CASELESS):
        return _EVERYTHING.fullmatch(pattern) is not None
    return kind == NAMED or (kind in (PREFIX, FINAL_PREFIX) and pattern == "/")


def streams(location: Directive) -> bool:
    """Whether its name says that answers or requests are long-lived: `/events`, `/ws/`, `@stream`."""
    return _STREAMS.search(pattern_of(location)[1]) is not None


def for_static(location: Directive) -> bool:
    """Whether its name says style sheets, scripts and pictures: `/static/`, `~* \\.(css|js)$`."""
    kind, pattern = pattern_of(location)
    regex = kind in (REGEX, REGEX_CASELESS)
    return _FILES.search(pattern) is not None or (regex and _EXTENSIONS.search(pattern) is not None)


def for_uploads(location: Directive) -> bool:
    """Whether its name says files that users put there: `/media/`."""
    return _UPLOADS.search(pattern_of(location)[1]) is not None


def serves_files(scope: Scope) -> bool:
    """Whether nginx answers here with files of its own."""
    names = {child.name for child in scope.here.block or ()}
    if any(name.endswith("_pass") for name in names) or names & _ANSWERS:
        return False
    rooted = bool(scope.all("root") or scope.all("alias") or "try_files" in names)
    return rooted and not any(one.args == ("all",) for one in scope.here.children("deny"))


def locations_of(server: Scope) -> Iterator[Scope]:
    """All locations of a server, nested ones too."""
    return within(server, frozenset({"location"}))


def file_locations(site: Site) -> Iterator[Scope]:
    """Locations beside Gunicorn's whose names say files, and which serve them."""
    for server in site.servers:
        for scope in locations_of(server):
            if serves_files(scope) and (for_static(scope.here) or for_uploads(scope.here)):
                yield scope


def chosen(around: Scope, path: str) -> Scope | None:
    """The location that nginx chooses in a server for a path; `around` itself where none fits.

    None where a regular expression cannot be judged. Order of ngx_http_core_find_location: exact, longest prefix and
    what is nested in it, then expressions in the order of the text unless the prefix forbids them.
    """
    try:
        return _chosen(around, path)[0]
    except re.error:
        return None


def _chosen(around: Scope, path: str) -> tuple[Scope, bool]:
    """And whether that is final: an exact or a regular expression's one."""
    kinds = [(*pattern_of(child), child) for child in around.here.children("location")]
    for kind, pattern, child in kinds:
        if kind == EXACT and pattern == path:
            return around.inner(child), True
    prefixes = [one for one in kinds if one[0] in (PREFIX, FINAL_PREFIX) and path.startswith(one[1])]
    longest = max(prefixes, key=lambda one: len(one[1]), default=None)
    found, final = _chosen(around.inner(longest[2]), path) if longest else (around, False)
    if final or (longest and longest[0] == FINAL_PREFIX):
        return found, final
    for kind, pattern, child in kinds:
        if kind in (REGEX, REGEX_CASELESS) and _fits(pattern, path, kind):
            return _chosen(around.inner(child), path)[0], True
    return found, False


def _fits(pattern: str, path: str, kind: str) -> bool:
    named = re.sub(r"\(\?<(?![=!])", "(?P<", pattern)
    return re.search(named, path, re.IGNORECASE if kind == REGEX_CASELESS else 0) is not None
