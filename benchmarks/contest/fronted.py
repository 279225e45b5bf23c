"""Who serves behind nginx, and with what on nginx's side: a contender by a UNIX socket or by TCP is one `Fronted`.

Ours goes behind what `gunicorn-autotune nginx render` writes for it, the guides' servers behind the guides' own lines,
uWSGI behind a plain proxy_pass. `adaptive-gthread-kept` is ours behind nginx's defaults: what kept connections hide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.contest.contenders import (
    ADAPTIVE,
    GUNICORNS,
    THREADED,
    THREADED_LINES,
    UWSGI,
    Contender,
    Place,
    gunicorn,
    rule_of_thumb,
)
from benchmarks.contest.peers import PEERS
from benchmarks.contest.workloads import Workload
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


def _ours(keepalive: int) -> list[str]:
    return ["worker_class = 'gthread'", f"threads = {OURS_THREADS}", f"keepalive = {keepalive}"]


def adaptive_threads(workload: Workload, place: Place) -> Sequence[str]:
    """gthread with conf.py's keepalive."""
    return gunicorn(workload, place, _ours(OURS_KEEPALIVE_SECONDS), autotune=True)


def adaptive_kept(workload: Workload, place: Place) -> Sequence[str]:
    """gthread that keeps connections longer than nginx's defaults do."""
    return gunicorn(workload, place, _ours(DEFAULTS.gunicorn_keepalive), autotune=True)


def thumb_sync(workload: Workload, place: Place) -> Sequence[str]:
    """2 x cores + 1 sync workers."""
    return gunicorn(workload, place, [f"workers = {rule_of_thumb(place.cores)}", _GUIDE_KEEPALIVE])


def guide_threads(workload: Workload, place: Place) -> Sequence[str]:
    """The guide's 3 workers of 4 threads."""
    return gunicorn(workload, place, [*THREADED_LINES, _GUIDE_KEEPALIVE])


_GUIDE_KEEPALIVE = f"keepalive = {GUIDE.gunicorn_keepalive}"
_DIRECT = {one.name: one for one in (*GUNICORNS, *PEERS)}
_TITLE = f"Gunicorn with autotune, gthread, {OURS_THREADS} threads"
SERVED: tuple[tuple[Contender, Pair | None], ...] = (
    (_DIRECT[ADAPTIVE], None),
    (replace(_DIRECT[ADAPTIVE], name=f"{ADAPTIVE}-gthread", title=_TITLE, command=adaptive_threads), None),
    (replace(_DIRECT[ADAPTIVE], name=f"{ADAPTIVE}-gthread-kept", title=f"{_TITLE}, nginx's default kept connections",
             command=adaptive_kept), DEFAULTS),
    (Contender("static-2k+1-guide", "Gunicorn, 2 x cores + 1 sync workers, the guides' keepalive", thumb_sync), GUIDE),
    (Contender(f"{THREADED}-guide", f"{_DIRECT[THREADED].title}, the guides' keepalive", guide_threads), GUIDE),
    (_DIRECT[UWSGI], PLAIN),
)  # fmt: skip
"""Each contender and nginx's side for it. Those that need no other settings behind nginx keep the names they have."""
FRONTED = tuple(Fronted(way, contender, pair) for way in WAYS for contender, pair in SERVED)


def fronted(way: str, name: str) -> Fronted:
    """By the way and the contender's name; KeyError when there is none."""
    return {(one.way, one.contender.name): one for one in FRONTED}[way, name]
