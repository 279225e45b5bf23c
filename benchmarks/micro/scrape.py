"""What one scrape costs: the real exporter in its own process, over loopback, asked as Prometheus asks.

The yardstick is prometheus_client's multiprocess collector after 1,000 processes have come and gone, in this process
and without HTTP: what a recycling server has in every worker that is scraped.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time

from benchmarks.demo_server import free_port
from benchmarks.micro.harness import TIMED_MODULES, Arbiter, arbiter, told_time
from benchmarks.micro.options import ROOT, Options, Tell
from benchmarks.micro.report import CaseResult, Goal, Measured
from benchmarks.micro.tick import check, one_tick

GOALS_MS = {4: 2.0, 32: 3.0, 128: 5.0}
RECYCLES = 10_000
DEAD_PIDS = 1_000
APART_SECONDS = 0.02
START_SECONDS = 15.0
REQUEST = (
    b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Prometheus/3.5.0\r\nAccept: application/openmetrics-text;"
    b"version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;"
    b"version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2\r\nAccept-Encoding: gzip\r\n"
    b"X-Prometheus-Scrape-Timeout-Seconds: 10\r\n\r\n"
)


def measure(options: Options, tell: Tell) -> CaseResult:
    """Milliseconds from connect to the last byte; before and after the recycles."""
    scrapes, recycles = options.some(100, 3), options.some(RECYCLES, 20)
    measured: list[Measured] = []
    for slots, goal_ms in GOALS_MS.items():
        tell(f"{slots} slots")
        port = free_port()
        with arbiter(slots, f"127.0.0.1:{port}") as server:
            tick_a_while(server)
            wait_for(port)
            values, size = scrape_times(port, scrapes)
            note = f"{size:,} bytes, OpenMetrics, gzip"
            measured.append(Measured(f"a scrape, {slots} slots", "ms", values, Goal(goal_ms), note=note))
            tell(f"{slots} slots, {recycles:,} recycles")
            workers = list(server.WORKERS.values())
            for number in range(recycles):
                server.recycle(workers[number % slots])
            tick_a_while(server)
            values, size = scrape_times(port, scrapes)
            what = f"a scrape, {slots} slots, after {recycles:,} recycles"
            measured.append(Measured(what, "ms", values, Goal(goal_ms), note=f"{size:,} bytes"))
    dead = options.some(DEAD_PIDS, 10)
    what = f"prometheus_client's MultiProcessCollector, {dead:,} dead pids"
    note = "1 counter x 5 labels and 1 histogram, without HTTP"
    measured.append(Measured(what, "ms", yardstick(dead, options.some(20, 2), tell), note=note))
    return CaseResult(
        tuple(measured), ("GET /metrics with Prometheus 3.5's headers, 20 ms apart, a new connection each",)
    )


def tick_a_while(server: Arbiter) -> None:
    """Ticks, so that a status document is published and the exporter started."""
    with told_time(*TIMED_MODULES) as clock:
        clock.now = max(clock.now, server.autotune.ticked_at)
        for _ in range(8):
            one_tick(server, clock)
    check(server)


def wait_for(port: int) -> None:
    """Until the exporter answers."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            scrape(port)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def scrape(port: int) -> bytes:
    """The answer to one scrape, head and body."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(REQUEST)
        chunks = []
        while chunk := client.recv(1 << 20):
            chunks.append(chunk)
    answer = b"".join(chunks)
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise OSError(f"the exporter answered {answer[:60]!r}")
    return answer


def scrape_times(port: int, scrapes: int) -> tuple[tuple[float, ...], int]:
    """Milliseconds of each, and the bytes of one."""
    for _ in range(5):
        size = len(scrape(port))
    times = []
    for _ in range(scrapes):
        time.sleep(APART_SECONDS)
        began = time.perf_counter()
        scrape(port)
        times.append((time.perf_counter() - began) * 1e3)
    return tuple(times), size


def yardstick(dead: int, scrapes: int, tell: Tell) -> tuple[float, ...]:
    """prometheus_client's own way, in a process of its own as the directory must be set before its import."""
    tell(f"yardstick: {dead:,} processes that record and end")
    with tempfile.TemporaryDirectory(prefix="autotune-") as folder:
        told = subprocess.run(
            [sys.executable, "-m", "benchmarks.micro.scrape", str(dead), str(scrapes)], cwd=ROOT,
            env=os.environ | {"PROMETHEUS_MULTIPROC_DIR": folder}, capture_output=True, text=True, timeout=600,
            check=False,
        )  # fmt: skip
    if told.returncode:
        raise RuntimeError(told.stderr.strip().splitlines()[-1])
    return tuple(json.loads(told.stdout))


def main(dead: int, scrapes: int) -> None:
    """Print JSON: milliseconds of each scrape after `dead` processes have recorded and ended."""
    from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    count = Counter("requests", "Requests.", ["status"])
    duration = Histogram("duration_seconds", "Duration.")
    for _ in range(dead):
        pid = os.fork()
        if not pid:
            for status in ("1xx", "2xx", "3xx", "4xx", "5xx"):
                count.labels(status).inc()
            duration.observe(0.1)
            os._exit(0)
        os.waitpid(pid, 0)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    times = []
    for _ in range(scrapes):
        began = time.perf_counter()
        generate_latest(registry)
        times.append((time.perf_counter() - began) * 1e3)
    print(json.dumps(times))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
