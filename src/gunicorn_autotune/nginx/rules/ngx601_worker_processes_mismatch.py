"""nginx should have a worker for every CPU.

Without `worker_processes` nginx runs **one** worker, which is one CPU at most. That is enough for thousands of small
answers a second, but TLS handshakes, gzip and large files all happen there, and a worker that waits for a slow disk
serves nobody else meanwhile.

Write `worker_processes auto;` in the main file, outside of `http`. In a file under conf.d nginx refuses it ("directive
is not allowed here"). Every limit that counts per worker (`worker_connections`, `keepalive`, `max_conns` without
`zone`) then applies to each of them.

Ignore it where the other CPUs are wanted for Gunicorn and nginx's worker is nowhere near 100 % of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared.capacity import events
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX601", Severity.WARNING, "nginx has a worker for every CPU")
LINE = "worker_processes auto;"


def check(site: Site) -> Iterator[Finding]:
    """One worker, and more than one CPU."""
    value, block, cpus = site.main.value("worker_processes"), events(site), site.host.cpus
    if value.text != "1" or cpus is None or cpus == 1 or (value.directive is None and block is None):
        return
    yield at(
        RULE,
        value.directive or block or site.root,
        f"nginx has one worker on a host with {cpus} CPUs",
        nginx=value,
        fix=f"{LINE}    # in the main file, outside of http",
        edits=_edits(value.directive, block),
    )


def _edits(line: Directive | None, block: Directive | None) -> edits.Edits:
    if line is not None:
        return edits.replaced(line, LINE)
    return edits.added_before(block, LINE) if block else ()
