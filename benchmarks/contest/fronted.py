"""Who serves behind nginx, and with what on nginx's side: a contender by a UNIX socket or by TCP is one `Fronted`.

Ours goes behind what `gunicorn-autotune nginx render` writes for it, the guides' servers behind the guides' own lines,
uWSGI behind a plain proxy_pass. `adaptive-gthread-kept` is ours behind nginx's defaults: what kept connections hide.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.contest.contenders import (
    ADAPTIVE,
    GUIDE_THREADS,
    GUIDE_WORKERS,
    THREADED,
    UWSGI,
    Contender,
    MissingError,
    Place,
    gunicorn,
    rule_of_thumb,
)
from benchmarks.contest.workloads import Workload
from benchmarks.micro import uwsgi
from benchmarks.nginx.front import DEFAULTS, GUIDE, Pair

UNIX, TCP = "unix", "tcp"
WAYS = (UNIX, TCP)
OURS_KEEPALIVE_SECONDS = 10
"""As gunicorn_autotune.conf sets it."""
OURS_THREADS = 4
PLAIN = Pair("a plain proxy_pass", 0, "")


@dataclass(frozen=True)
class Fronted:
    """One contender behind nginx."""

    way: str
    """From nginx to the server: UNIX or TCP."""
    contender: Contender
    pair: Pair | None = None
    """nginx's side, written by hand; None: as `nginx render` writes it for the contender's gunicorn.conf.py."""

    @property
    def front(self) -> str:
        """nginx's side in a few words."""
        return self.pair.title if self.pair else "nginx render"

    def place(self, place: Place) -> Place:
        """The same place, bound as the way wants it; the socket lies in the place's folder."""
        return replace(place, unix=str(place.folder / "site.sock") if self.way == UNIX else "")

    def address(self, place: Place) -> str:
        """Where nginx finds the server: `unix:/path` or `127.0.0.1:8000`."""
        return f"unix:{self.place(place).unix}" if self.way == UNIX else f"127.0.0.1:{place.port}"


def _threaded(threads: int, keepalive: int) -> list[str]:
    return ["worker_class = 'gthread'", f"threads = {threads}", f"keepalive = {keepalive}"]


def adaptive_sync(workload: Workload, place: Place) -> Sequence[str]:
    """As installed."""
    return gunicorn(workload, place, [], autotune=True)


def adaptive_threads(workload: Workload, place: Place) -> Sequence[str]:
    """gthread with conf.py's keepalive."""
    return gunicorn(workload, place, _threaded(OURS_THREADS, OURS_KEEPALIVE_SECONDS), autotune=True)


def adaptive_kept(workload: Workload, place: Place) -> Sequence[str]:
    """gthread that keeps connections longer than nginx's defaults do."""
    return gunicorn(workload, place, _threaded(OURS_THREADS, DEFAULTS.gunicorn_keepalive), autotune=True)


def thumb_sync(workload: Workload, place: Place) -> Sequence[str]:
    """2 x cores + 1 sync workers."""
    lines = [f"workers = {rule_of_thumb(place.cores)}", f"keepalive = {GUIDE.gunicorn_keepalive}"]
    return gunicorn(workload, place, lines)


def guide_threads(workload: Workload, place: Place) -> Sequence[str]:
    """The guide's 3 workers of 4 threads."""
    lines = [f"workers = {GUIDE_WORKERS}", *_threaded(GUIDE_THREADS, GUIDE.gunicorn_keepalive)]
    return gunicorn(workload, place, lines)


def uwsgi_busyness(workload: Workload, place: Place) -> Sequence[str]:
    """uWSGI's own autoscaling on its http-socket."""
    listen = min(uwsgi.LISTEN, int(Path("/proc/sys/net/core/somaxconn").read_text()))
    own = ["--lazy-apps"] if workload.import_cpu_seconds else []
    return [
        str(uwsgi.BINARY), "--http-socket", place.unix or f"127.0.0.1:{place.port}", "--home", str(uwsgi.HOME),
        "--module", "site_app:app", "--master", "--die-on-term", "--need-app", "--single-interpreter",
        "--disable-logging", "--listen", str(listen), *uwsgi.BUSYNESS, *own,
    ]  # fmt: skip


def _built(tell: Callable[[str], None]) -> str:
    try:
        uwsgi.build(tell)
    except uwsgi.NotBuiltError as error:
        raise MissingError(f"uWSGI: {error}") from None
    return uwsgi.VERSION


_THREADS = f"{OURS_THREADS} threads"
SERVED = (
    (Contender(ADAPTIVE, "adaptive, sync", adaptive_sync, metrics=True), None),
    (Contender(f"{ADAPTIVE}-gthread", f"adaptive, gthread, {_THREADS}", adaptive_threads, metrics=True), None),
    (Contender(f"{ADAPTIVE}-gthread-kept", f"adaptive, gthread, {_THREADS}, nginx's default kept connections",
               adaptive_kept, metrics=True), DEFAULTS),
    (Contender("static-2k+1-guide", "Gunicorn, 2 x cores + 1 sync workers, the guides' keepalive", thumb_sync), GUIDE),
    (Contender(f"{THREADED}-guide", "Gunicorn, 3 gthread workers of 4 threads, the guides' keepalive",
               guide_threads), GUIDE),
    (Contender(UWSGI, "uWSGI, cheaper busyness", uwsgi_busyness, prepare=_built), PLAIN),
)  # fmt: skip
"""Each contender and nginx's side for it."""
FRONTED = tuple(Fronted(way, contender, pair) for way in WAYS for contender, pair in SERVED)
