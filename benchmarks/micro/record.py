"""What recording one request costs in a worker: the recorder alone, then both request hooks as a worker runs them.

Everything runs in one process of its own, contender after contender, round after round, so that a slower moment of
the machine meets all of them. prometheus_client must be told its multiprocess directory before it is imported.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from itertools import repeat
from types import SimpleNamespace
from typing import Any

from benchmarks.micro.options import ROOT, Options, Tell
from benchmarks.micro.report import CaseResult, Goal, Measured

RECORD_SYNC, RECORD_GTHREAD = "record one request, sync", "record one request, gthread"
HOOKS_BARE = "Gunicorn's own two request hooks"
HOOKS_STAMP = "both hooks, sync, X-Request-Start among 8 headers"
HOOKS_NONE = "both hooks, sync, 8 headers, no stamp"
HOOKS_SOCKET = "the same at 100 requests/s or less (asks the socket)"
HOOKS_GTHREAD = "both hooks, gthread, X-Request-Start among 8 headers"
PROMETHEUS = "prometheus_client, multiprocess"
PROMETHEUS_AS_USED = "the same with an in-flight gauge and labels by request"
Contender = Callable[[int], None]

NGINX_HEADERS = (
    ("HOST", "www.example.com"),
    ("X-REAL-IP", "203.0.113.7"),
    ("X-FORWARDED-FOR", "203.0.113.7"),
    ("X-FORWARDED-PROTO", "https"),
    ("CONNECTION", "close"),
    ("USER-AGENT", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    ("ACCEPT", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
)
"""And an eighth: the stamp, or an ACCEPT-ENCODING."""


def measure(options: Options, tell: Tell) -> CaseResult:
    """Microseconds for each way to record."""
    loops, rounds = options.some(50_000, 500), options.some(20, 2)
    tell(f"{rounds} rounds of {loops:,} requests each")
    with tempfile.TemporaryDirectory(prefix="autotune-") as folder:
        command = [sys.executable, "-m", "benchmarks.micro.record", str(loops), str(rounds)]
        told = subprocess.run(
            command, cwd=ROOT, env=os.environ | {"PROMETHEUS_MULTIPROC_DIR": folder}, capture_output=True, text=True,
            timeout=600, check=False,
        )  # fmt: skip
    if told.returncode:
        raise RuntimeError(told.stderr.strip().splitlines()[-1])
    values: dict[str, list[float]] = json.loads(told.stdout)
    theirs = values[PROMETHEUS]
    cheaper = {
        name: tuple(a / b for a, b in zip(theirs, values[name], strict=True))
        for name in (RECORD_SYNC, RECORD_GTHREAD)
    }  # fmt: skip

    def row(name: str, goal: Goal | None = None, **more: str) -> Measured:
        return Measured(name, "us", tuple(values[name]), goal, **more)

    measured = (
        row(RECORD_SYNC, Goal(1.0)),
        row(RECORD_GTHREAD, Goal(1.5)),
        row(PROMETHEUS, note="one Counter and one Histogram, labels looked up beforehand: its cheapest way"),
        row(PROMETHEUS_AS_USED, note="in flight, count, duration by status class: what ours records, as apps write it"),
        Measured("prometheus_client's cost / ours, sync", "x", cheaper[RECORD_SYNC], Goal(5, at_least=True)),
        Measured("prometheus_client's cost / ours, gthread", "x", cheaper[RECORD_GTHREAD], Goal(5, at_least=True)),
        row(HOOKS_NONE, note="queue time asked of the socket at most every 10 ms"),
        row(HOOKS_SOCKET),
        row(HOOKS_STAMP),
        row(HOOKS_GTHREAD),
        row(HOOKS_BARE, note="what plain Gunicorn spends there; ours replace it"),
    )
    return CaseResult(measured, (" ".join(["PROMETHEUS_MULTIPROC_DIR=...", "python", *command[1:]]),))


def main(loops: int, rounds: int) -> None:
    """Print JSON: microseconds per request, for each contender a list with one value a round."""
    contenders = all_contenders()
    values: dict[str, list[float]] = {name: [] for name in contenders}
    for contender in contenders.values():
        contender(max(1, loops // 10))
    gc.disable()
    for _ in range(rounds):
        for name, contender in contenders.items():
            began = time.perf_counter_ns()
            contender(loops)
            values[name].append((time.perf_counter_ns() - began) / loops / 1000)
        gc.collect()
    print(json.dumps(values))


def all_contenders() -> dict[str, Contender]:
    """Name and a function that records so many requests."""
    from gunicorn.workers.gthread import ThreadWorker
    from gunicorn.workers.sync import SyncWorker

    from gunicorn_autotune.runtime import queue_watch
    from gunicorn_autotune.scoreboard import recorder

    def hooks_that_ask_the_socket() -> Contender:
        hooks = hooked(SyncWorker, stamped=False)

        def ask_each_time(loops: int) -> None:
            kept, queue_watch.SOCKET_SAMPLE_SECONDS = queue_watch.SOCKET_SAMPLE_SECONDS, 0.0
            try:
                hooks(loops)
            finally:
                queue_watch.SOCKET_SAMPLE_SECONDS = kept

        return ask_each_time

    return {
        RECORD_SYNC: recording(recorder.single(a_row())),
        RECORD_GTHREAD: recording(recorder.threaded(a_row())),
        PROMETHEUS: prometheus(),
        PROMETHEUS_AS_USED: prometheus_as_used(),
        HOOKS_NONE: hooked(SyncWorker, stamped=False),
        HOOKS_SOCKET: hooks_that_ask_the_socket(),
        HOOKS_STAMP: hooked(SyncWorker, stamped=True),
        HOOKS_GTHREAD: hooked(ThreadWorker, stamped=True),
        HOOKS_BARE: hooked(SyncWorker, stamped=False, tuned=False),
    }


def a_row() -> memoryview:
    """The row of a new board."""
    from gunicorn_autotune.scoreboard import board, layout

    return board.create(layout.shape_for(1)).row(0)


def recording(pen: Any) -> Contender:
    """`begin` and `end`, called as Gunicorn calls hooks."""
    begin, end, response = pen.begin, pen.end, SimpleNamespace(status_code=200)

    def record(loops: int) -> None:
        for _ in repeat(None, loops):
            begin(None, None)
            end(None, None, None, response)

    return record


def hooked(worker_class: type, stamped: bool, tuned: bool = True) -> Contender:
    """A worker's pre_request and post_request after it has booted, fetched once as their look-up is Gunicorn's."""
    worker = a_worker(worker_class, tuned)
    pre_request, post_request = worker.cfg.pre_request, worker.cfg.post_request
    request, response, environ = a_request(), SimpleNamespace(status_code=200), dict[str, Any]()

    def record(loops: int) -> None:
        last = ("X-REQUEST-START", f"t={time.time():.3f}") if stamped else ("ACCEPT-ENCODING", "gzip, deflate, br")
        request.headers = [*NGINX_HEADERS, last]
        for _ in repeat(None, loops):
            pre_request(worker, request)
            post_request(worker, request, environ, response)

    return record


def a_worker(worker_class: type, tuned: bool) -> Any:
    """A worker that never ran, hooked as a booted one is."""
    from gunicorn.config import Config
    from gunicorn.glogging import Logger

    from gunicorn_autotune.runtime import worker as runtime_worker
    from gunicorn_autotune.runtime.doors import Doors
    from gunicorn_autotune.runtime.state import Tracked

    worker: Any = worker_class.__new__(worker_class)
    worker.cfg = Config()
    worker.log = Logger(worker.cfg)
    worker.notify = lambda: None
    worker.age = 1
    worker.autotune = Tracked(worker, 1, 0, a_row(), spawned_at=time.monotonic())
    if tuned:
        runtime_worker.after_init(SimpleNamespace(doors=Doors(worker.log, Counter())), worker)  # type: ignore[arg-type]
    return worker


def a_request() -> Any:
    """What the hooks look at: headers, and a connected socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
    client.sendall(b"GET / HTTP/1.1\r\n\r\n")
    unreader = SimpleNamespace(sock=accepted, client=client)
    return SimpleNamespace(headers=[], unreader=unreader, method="GET", path="/", peer_addr=client.getsockname())


def prometheus() -> Contender:
    """A counter and a histogram of our buckets, with the two clock readings that any recording needs."""
    from prometheus_client import Counter, Histogram

    from gunicorn_autotune.model.snapshot import DURATION_BOUNDS_SECONDS

    count = Counter("requests", "Requests.", ["status"]).labels("2xx").inc
    durations = Histogram("duration_seconds", "Duration.", ["status"], buckets=DURATION_BOUNDS_SECONDS)
    observe = durations.labels("2xx").observe
    clock = time.monotonic

    def record(loops: int) -> None:
        for _ in repeat(None, loops):
            began = clock()
            count()
            observe(clock() - began)

    return record


def prometheus_as_used() -> Contender:
    """What our recorder records, written as an app would write it."""
    from prometheus_client import Counter, Gauge, Histogram

    from gunicorn_autotune.model.snapshot import DURATION_BOUNDS_SECONDS

    running = Gauge("running", "Requests running.", multiprocess_mode="livesum")
    counter = Counter("answers", "Requests.", ["status"])
    durations = Histogram("answer_seconds", "Duration.", ["status"], buckets=DURATION_BOUNDS_SECONDS)
    clock = time.monotonic

    def record(loops: int) -> None:
        for _ in repeat(None, loops):
            running.inc()
            began = clock()
            running.dec()
            counter.labels("2xx").inc()
            durations.labels("2xx").observe(clock() - began)

    return record


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
