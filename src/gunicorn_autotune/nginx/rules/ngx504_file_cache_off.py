"""nginx should remember where static files are instead of looking for them on every request.

Without `open_file_cache` each file costs three system calls more (`openat`, `newfstatat`, `close`; counted with strace
on nginx 1.22.1: 14 a request against 11), which is **6 to 17 %** of the files a second from a local disk, and a round
trip each on a network file system, where it matters most.

Write it in the locations for static files, with `open_file_cache_errors off`, and nowhere above them: NGX505 says what
happens otherwise. A file that is replaced under the same name is served as it was for up to `open_file_cache_valid`;
with hashed names, and for releases in a folder of their own, that does not matter.

Ignore it for a handful of files on a local disk, and where files are replaced in place and must be new at once. That is
why locations for uploads (`/media/`) are not asked. `open_file_cache off;` in the location says that it is meant.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.site.locations import file_locations, for_static
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits
from gunicorn_autotune.nginx.write.edits import not_yet

RULE = Rule("NGX504", Severity.INFO, "nginx caches which static files are open")
LINES = ("open_file_cache max=10000 inactive=30s;", "open_file_cache_valid 30s;", "open_file_cache_errors off;")


def check(site: Site) -> Iterator[Finding]:
    """Each location for static files where nobody decided on it."""
    for scope in file_locations(site):
        value = scope.value("open_file_cache")
        if value.directive is None and for_static(scope.here):
            yield at(
                RULE,
                scope.here,
                f"each file of {scope.here.text} is looked up, opened and closed on every request",
                nginx=value,
                fix=not_yet(scope.here, LINES),
                edits=edits.added_in(scope.here, not_yet(scope.here, LINES)),
            )
