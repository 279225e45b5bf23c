"""The cache of open files should not hide a change.

`open_file_cache` is a cache of what is on the disk, and it is believed for `open_file_cache_valid`, 60 s by default.
Two lines turn that into trouble:

`open_file_cache_errors on` remembers that a file is *not* there: a file deployed a moment after somebody asked for it
stays 404 for up to a minute.

A cache above the locations for files (in `http` or `server`) is also asked by `if (-f /srv/app/maintenance.on)`. The
flag's removal is not seen: **45 of 80 requests still got 503** after it was gone, with errors on and, for a flag that
was there, with errors off as well (nginx 1.22.1). Maintenance that does not end is worse than a file opened twice.

Move the lines into the locations for static files, with `open_file_cache_errors off`: then nothing was stuck. Ignore it
where no file is ever added, replaced or removed while nginx runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.site.locations import file_locations
from gunicorn_autotune.nginx.site.scope import Scope
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX505", Severity.WARNING, "The cache of open files hides no change")
_OF_THE_REQUEST = ("$uri", "$request_filename", "$request_uri", "$document_uri", "$1")


def check(site: Site) -> Iterator[Finding]:
    """Caches that a flag file is looked up in, and caches that remember what is missing."""
    flags: dict[Directive, Scope] = {}
    errors: dict[Directive, Scope] = {}
    for scope in site.scopes("http", "server", "location", "if"):
        cache, remembered = scope.value("open_file_cache"), scope.value("open_file_cache_errors")
        if cache.directive is None or cache.text == "off":
            continue
        if _tests_a_flag(scope.here):
            flags.setdefault(cache.directive, scope)
        if remembered.directive is not None and remembered.text == "on":
            errors.setdefault(remembered.directive, scope)
    served = [(one.here, one.value("open_file_cache").directive) for one in file_locations(site)] if flags else ()
    places: dict[int, list[Directive]] = {}
    for place, cache_line in served:
        places.setdefault(id(cache_line), []).append(place)
    yield from (_flag(line, scope, places.get(id(line), [])) for line, scope in flags.items())
    yield from (_missing(line, scope) for line, scope in errors.items())


def _tests_a_flag(block: Directive) -> bool:
    """`if (-f /srv/maintenance.on)`: a file of which only the operator decides; not one that the request names."""
    words = " ".join(block.args)
    tests = re.match(r"\(\s*!?-[fdex]\s", words) is not None
    return block.name == "if" and tests and not any(name in words for name in _OF_THE_REQUEST)


def _flag(line: Directive, scope: Scope, inside: list[Directive]) -> Finding:
    moved = tuple(edit for place in inside for edit in edits.added_in(place, f"{line.text};"))
    return at(
        RULE,
        line,
        f"{scope.here.text} ({scope.here.place}) is answered from this cache: "
        f"after the flag is removed nginx may see it for up to {scope.value('open_file_cache_valid').text}",
        nginx=scope.value("open_file_cache"),
        fix=f"{line.text};    # not here, but in the locations that serve files",
        edits=edits.removed(line) + moved,
    )


def _missing(line: Directive, scope: Scope) -> Finding:
    return at(
        RULE,
        line,
        "a file that was requested before it was deployed stays 404 for up to "
        f"{scope.value('open_file_cache_valid').text}",
        nginx=scope.value("open_file_cache_errors"),
        fix="open_file_cache_errors off;",
        edits=edits.replaced(line, "open_file_cache_errors off;"),
    )
