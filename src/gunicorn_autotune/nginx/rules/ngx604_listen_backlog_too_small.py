"""nginx's own queue for new clients should not be shorter than a burst that Gunicorn could take.

Connections that nginx has not accepted yet wait in the kernel, in a queue of `backlog=` places at each `listen`, 511
unless it is set, and never more than `net.core.somaxconn`. nginx accepts within a fraction of a millisecond, so the
queue matters only in bursts: when more clients come at the same moment than it holds, the kernel drops the rest, and
they try again after 1 s.

This rule speaks where sync or gthread workers can work on more requests at once than nginx's queue holds: then a burst
that Gunicorn would carry waits in front of nginx. A queue as long as Gunicorn's own `backlog` is always enough.

Write `listen 80 backlog=4096;`. nginx allows it once for each address and port: a second one is "duplicate listen
options". Ignore it where clients come evenly.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared import capacity
from gunicorn_autotune.nginx.site.gunicorn import CONCURRENT, Gunicorn
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX604", Severity.INFO, "nginx's queue holds a burst that Gunicorn could take", frozenset({Need.GUNICORN}))
DEFAULT_PLACES = 511
AMPLE = 4096


def check(site: Site) -> Iterator[Finding]:
    """Each address that nginx listens at for Gunicorn, once."""
    gunicorn = site.gunicorn
    # An event loop's worker_connections are a limit, not what it works on.
    if gunicorn is None or gunicorn.kind == CONCURRENT or not site.found:
        return
    taken = capacity.requests_at_once(gunicorn)
    enough = min(taken, int(gunicorn.get("backlog", taken)), site.host.somaxconn or taken)
    ours = {_address(line) for server in site.servers for line in server.here.children("listen") if line.args}
    lines: dict[str, list[Directive]] = {}
    for server in site.scopes("server"):
        for line in server.here.children("listen"):
            if line.args and "quic" not in line.args and _address(line) in ours:
                lines.setdefault(_address(line), []).append(line)
    for same in lines.values():
        chosen = next((line for line in same if _backlog(line) is not None), same[0])
        places = _backlog(chosen) or DEFAULT_PLACES
        if places < enough:
            yield _finding(gunicorn, chosen, places, taken)


def _finding(gunicorn: Gunicorn, line: Directive, places: int, taken: int) -> Finding:
    kept = [word for word in line.args if not word.startswith("backlog=")]
    text = f"listen {' '.join(kept)} backlog={AMPLE};"
    return at(
        RULE,
        line,
        f"{places} clients may wait to be accepted at listen {line.args[0]}, but Gunicorn could take {taken:,} at once",
        nginx=f"{line.shown}, backlog={DEFAULT_PLACES} unless set",
        gunicorn=capacity.words(gunicorn),
        fix=f"{text}    # at one server only",
        edits=edits.replaced(line, text),
    )


def _address(line: Directive) -> str:
    """`80`, `*:80` and `0.0.0.0:80` are one address."""
    written = line.args[0]
    if written.startswith("unix:"):
        return written
    if written.isdigit():
        return f"*:{written}"
    host, _, port = written.rpartition(":") if ":" in written.rpartition("]")[2] else (written, "", "80")
    return f"{'*' if host in ('0.0.0.0', '*') else host}:{port}"


def _backlog(line: Directive) -> int | None:
    words = [word.partition("=")[2] for word in line.args if word.startswith("backlog=")]
    return int(words[0]) if words and words[0].isdigit() else None
