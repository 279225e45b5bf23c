"""The kinds of real server, with autotune at its defaults and a flight record of every tick."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.calibration.cells import MAX_WORKERS, MIN_WORKERS, THREADS
from benchmarks.demo_server import Server, gunicorn

from gunicorn_autotune.model.flight import Tick, parse_header, parse_tick

APPS = Path(__file__).parent / "apps"
_PRELOAD = "preload_app = True"
_GTHREAD = [_PRELOAD, f"threads = {THREADS}", "worker_class = 'gthread'"]
KINDS: dict[str, tuple[str, list[str]]] = {
    "sync": ("burn:app", [_PRELOAD]),
    "gthread": ("burn:app", [*_GTHREAD, f"worker_connections = {THREADS}", "keepalive = 0"]),
    "gthread_ahead": ("burn:app", _GTHREAD),
    "slow_import": ("burn_slow_import:app", []),
}
"""The app and the lines of gunicorn.conf.py."""


@contextmanager
def serving(kind: str, workers: int = MIN_WORKERS, lines: Sequence[str] = ()) -> Iterator[tuple[Server, Path]]:
    """A running server and the path of its flight record."""
    app, own = KINDS[kind]
    with TemporaryDirectory(prefix="autotune-") as folder:
        record = Path(folder) / "flight"
        settings = {"min_workers": MIN_WORKERS, "max_workers": MAX_WORKERS, "flight_record": str(record)}
        with gunicorn([f"workers = {workers}", *own, *lines], settings, app=app, directory=APPS, path="/") as server:
            yield server, record


def ticks_of(record: Path) -> tuple[Tick, ...]:
    """Every tick in a record, a last line cut short by its writer left out."""
    lines = [line for line in record.read_text().splitlines(keepends=True) if line.endswith("\n")]
    rows = parse_header(lines[0]).rows
    return tuple(parse_tick(line, rows) for line in lines[1:])
