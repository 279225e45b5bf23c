"""How much each side can carry at once."""

from __future__ import annotations

from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.site.gunicorn import Gunicorn
from gunicorn_autotune.nginx.site.scope import Value
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits

AMPLE_FILES = 65535
"""A `worker_rlimit_nofile` that holds twice the usual connections."""


def events(site: Site) -> Directive | None:
    """The `events` block; None in a part of a configuration."""
    return site.root.child("events")


def worker_connections(site: Site) -> Value:
    """Connections of one nginx worker, to clients and to Gunicorn together."""
    block = events(site)
    scope = site.main.inner(block) if block else site.main
    return scope.value("worker_connections")


def more_connections(site: Site, most: int) -> tuple[str, edits.Edits]:
    """`worker_connections` raised, with the limit of open files where nobody wrote one: without it 1,024 hold (NGX603).

    Lines to paste and edits.
    """
    block, value = events(site), worker_connections(site)
    line, files = f"worker_connections {most};", f"worker_rlimit_nofile {max(AMPLE_FILES, 2 * most)};"
    limited = site.main.value("worker_rlimit_nofile").directive is not None
    made = edits.replaced(value.directive, line) if value.directive else edits.added_in(block, line) if block else ()
    text = f"{line}    # in events"
    if limited or block is None:
        return text, made
    return f"{text}\n{files}    # in the main file, outside of http", (*made, *edits.added_before(block, files))


def requests_at_once(gunicorn: Gunicorn) -> int:
    """Requests that Gunicorn works on at the same time, with all the workers it may have."""
    return gunicorn.most_workers * gunicorn.requests_at_once


def words(gunicorn: Gunicorn) -> str:
    """`16 workers x 4 requests`, for a message."""
    each = gunicorn.requests_at_once
    return f"{gunicorn.most_workers} worker{'s' * (gunicorn.most_workers != 1)} x {each} request{'s' * (each != 1)}"
