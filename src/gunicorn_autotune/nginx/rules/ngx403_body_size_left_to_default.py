"""The largest upload should be a decision, not a default.

nginx refuses bodies above `client_max_body_size` with 413, and the default is **1 MB**: less than one photograph of a
telephone. The application never sees such a request and logs nothing, so the usual story is "uploads work on my
machine". `client_max_body_size 0;` is the other end: any client may fill the disk that nginx collects uploads on.

Write the largest upload the application takes, in the server block or in the location that takes uploads, and give the
application the same limit (Flask: `MAX_CONTENT_LENGTH`; Django has none for files). nginx's should be a
little above it, because of the headers of each part: then the application's own message is the one users see.

Ignore it where nobody uploads anything: then 1 MB is a good limit, and writing `client_max_body_size 1m;` says that it
is meant.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.site.scope import Scope
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX403", Severity.INFO, "The largest upload is a choice, not a default")
NAME = "client_max_body_size"


def check(site: Site) -> Iterator[Finding]:
    """Servers where nobody wrote a limit, and lines that lift it altogether."""
    for server in site.servers:
        chosen = server.value(NAME).directive is not None or any(one.name == NAME for one in server.here.walk())
        if not chosen:
            yield _by_default(server)
    lifted = {
        id(value.directive): value
        for route in site.routes
        if (value := route.scope.value(NAME)).directive is not None and value.size_bytes == 0
    }
    for value in lifted.values():
        if value.directive is not None:
            yield at(
                RULE,
                value.directive,
                "uploads of any size are accepted: a few clients can fill nginx's disk",
                nginx=value,
                fix=f"{NAME} 20m;    # a little above the largest upload of the application",
                edits=edits.replaced(value.directive, f"{NAME} 20m;"),
            )


def _by_default(server: Scope) -> Finding:
    return at(
        RULE,
        server.here,
        "nginx refuses uploads above 1 MB with 413, and the application never sees them",
        nginx=server.value(NAME),
        fix=f"{NAME} 20m;    # in this server: the largest upload of the application",
        edits=edits.added_in(server.here, f"{NAME} 20m;"),
    )
