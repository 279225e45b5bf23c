"""An nginx worker should be allowed to open a file for every connection.

A connection is an open file, and an answer read from disk or buffered on disk is another. The limit of an nginx
**worker** is `worker_rlimit_nofile`; without that line it has what it was started with, 1024 under systemd. The rest
fails with `Too many open files` in nginx's error log, and clients see connections refused or a 500.
`nginx -t` says nothing about `worker_connections 4096` with a limit of 100 (measured).

Write `worker_rlimit_nofile 65535;` in the main file, outside of `http`. Read the limit of a running worker, not of the
master: measured, the master's said 20000 where the worker had 5000.

It is a note where the limit holds every connection but not a file for each, which only many large downloads at once
can use up.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared import capacity
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX603", Severity.WARNING, "nginx's workers may open a file for every connection")
STARTED_WITH = 1024
"""Soft limit that systemd gives (DefaultLimitNOFILE=1024:524288)."""


def check(site: Site) -> Iterator[Finding]:
    """A limit of open files below twice the connections."""
    limit, connections, block = _limit(site), capacity.worker_connections(site), capacity.events(site)
    if limit is None or block is None or not connections.text.isdigit():
        return
    files, origin = limit
    most = int(connections.text)
    if files >= 2 * most or (files >= most and not _known(site)):
        return
    short = files < most
    line = f"worker_rlimit_nofile {max(capacity.AMPLE_FILES, 2 * most)};"
    written = site.main.value("worker_rlimit_nofile").directive
    yield at(
        RULE,
        written or connections.directive or block,
        f"an nginx worker may open {files:,} files ({origin}), "
        + (f"but may have {most:,} connections" if short else f"fewer than two for each of {most:,} connections"),
        severity=None if short else Severity.INFO,
        nginx=connections,
        fix=f"{line}    # in the main file, outside of http",
        edits=edits.replaced(written, line) if written else edits.added_before(block, line),
    )


def _limit(site: Site) -> tuple[int, str] | None:
    """Files a worker may open, and who says so; None where the line holds no number."""
    value = site.main.value("worker_rlimit_nofile")
    if value.directive is not None:
        return (int(value.text), f"worker_rlimit_nofile, {value.origin}") if value.text.isdigit() else None
    if site.host.worker_open_files is not None:
        return site.host.worker_open_files, "limit of a running worker"
    return STARTED_WITH, "no worker_rlimit_nofile; what systemd gives"


def _known(site: Site) -> bool:
    """Whether the limit is more than a guess."""
    return site.main.value("worker_rlimit_nofile").directive is not None or site.host.worker_open_files is not None
