"""Who serves: Gunicorn in its ways, and its peers. All serve the same app, with the same cores and memory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.contest.workloads import Workload

APPS = Path(__file__).parent / "apps"
WORKER_BYTES = 30 << 20
"""What one worker of the app may take (apps/site_app.py): a rule, by which the static maximum is counted."""
RESERVE_SHARE = 0.1
"""Of the memory limit, left free."""
ADAPTIVE, UWSGI, THREADED = "adaptive", "uwsgi", "gthread-3x4"
GUIDE_WORKERS, GUIDE_THREADS = 3, 4
BUILT_IN = "built in"
THREADED_LINES = (f"workers = {GUIDE_WORKERS}", "worker_class = 'gthread'", f"threads = {GUIDE_THREADS}")


class MissingError(Exception):
    """A contender is not installed here; the message is one line that says what is missing."""


@dataclass(frozen=True)
class Place:
    """Where a contender is to serve."""

    port: int
    metrics_port: int
    folder: Path
    """Its own, empty."""
    unix: str = ""
    """Bind to this socket instead of the port."""
    cores: int = 1


@dataclass(frozen=True)
class Contender:
    """One way to serve."""

    name: str
    title: str
    command: Callable[[Workload, Place], Sequence[str]]
    """Runs in APPS; answers `/` by and by."""
    prepare: Callable[[Callable[[str], None]], str] = lambda tell: BUILT_IN
    """Installs what it needs, once; its version. MissingError where that cannot be."""
    metrics: bool = False
    """It has autotune's exporter on the metrics port."""
    not_workers: tuple[str, ...] = ()
    """Words in the command lines of its processes that serve no request; nor does the first process."""


def static_max(workload: Workload) -> int:
    """The most workers that the memory limit holds."""
    return int(workload.memory_limit_bytes * (1 - RESERVE_SHARE)) // WORKER_BYTES


def rule_of_thumb(cores: int) -> int:
    """Gunicorn's documentation: 2 x cores + 1."""
    return 2 * cores + 1


def gunicorn(workload: Workload, place: Place, lines: Sequence[str], autotune: bool = False) -> list[str]:
    """The installed Gunicorn with a gunicorn.conf.py in the place's folder."""
    bind = f"unix:{place.unix}" if place.unix else f"127.0.0.1:{place.port}"
    text = [f"bind = {bind!r}", "control_socket_disable = True", *lines]
    if not workload.import_cpu_seconds:
        text.append("preload_app = True")
    if autotune:
        metrics = f"127.0.0.1:{place.metrics_port}"
        text += ["from gunicorn_autotune import install", f"install(globals(), metrics={metrics!r})"]
    config = place.folder / "gunicorn.conf.py"
    config.write_text("\n".join(text) + "\n")
    return [sys.executable, "-m", "gunicorn", "-c", str(config), "site_app:app"]


@cache
def static(count: int) -> Contender:
    """So many sync workers."""
    return Contender(f"static-{count}", f"Gunicorn, {count} sync workers",
                     lambda workload, place: gunicorn(workload, place, [f"workers = {count}"]))  # fmt: skip


GUNICORNS = (
    Contender(ADAPTIVE, "Gunicorn with autotune, all defaults",
              lambda workload, place: gunicorn(workload, place, [], autotune=True),
              metrics=True, not_workers=("exporter_main",)),
    Contender(THREADED, f"Gunicorn, {GUIDE_WORKERS} gthread workers of {GUIDE_THREADS} threads",
              lambda workload, place: gunicorn(workload, place, THREADED_LINES)),
)  # fmt: skip
MAX_REQUESTS = Contender(
    "max-requests", "Gunicorn, 2 x cores + 1 sync workers, max_requests 500, jitter 50",
    lambda workload, place: gunicorn(
        workload, place, [f"workers = {rule_of_thumb(place.cores)}", "max_requests = 500", "max_requests_jitter = 50"]
    ),
)  # fmt: skip
"""The usual remedy against a leak; runs that workload only."""
