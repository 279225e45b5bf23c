"""UNIX or TCP, kept or not: requests a second and p99 through one nginx worker, by worker class.

The four ways stand behind one nginx and take turns, so that a machine that slows down or speeds up favours none.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.faults.options import NotRunError, Tell
from benchmarks.faults.proxy import Proxy
from benchmarks.nginx.front import OFF, OURS, Site, nginx
from benchmarks.nginx.options import Options
from benchmarks.nginx.plain import CLASSES, TCP, UNIX, Plain, Running, plains

CONNECTIONS = (8, 32)
REPEATS = 4
RUN_SECONDS = 2
WORKERS = 2
WAYS = {"tcp_off": (TCP, OFF), "tcp_kept": (TCP, OURS), "unix_off": (UNIX, OFF), "unix_kept": (UNIX, OURS)}
TIME_WAIT = "06"
"""As /proc/net/tcp names the state."""
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


def repeats(options: Options) -> int:
    """Of each run."""
    return 1 if options.quick else REPEATS


def seconds(options: Options) -> float:
    """What the cell takes."""
    return len(CLASSES) * (6.0 + len(WAYS) * len(CONNECTIONS) * repeats(options) * (RUN_SECONDS + 0.1))


def run(options: Options, tell: Tell) -> dict[str, Any]:
    """Every worker class in turn; one that cannot run says why."""
    if not shutil.which("wrk"):
        raise NotRunError("wrk is not installed")
    classes: dict[str, dict[str, Any]] = {}
    for name in CLASSES:
        tell(f"gain: {name}")
        try:
            classes[name] = one_class(options, name)
        except NotRunError as error:
            classes[name] = {"not_run": str(error)}
        tell(f"    {told(classes[name])}")
    return {
        "workers": WORKERS, "repeats": repeats(options), "run_seconds": RUN_SECONDS, "kept": OURS.told(),
        "classes": classes,
    }  # fmt: skip


def one_class(options: Options, worker_class: str) -> dict[str, Any]:
    """By way and connections: medians of what wrk said, and the sockets in TIME_WAIT after the last run."""
    made = [Plain(worker_class, way, pair.gunicorn_keepalive, WORKERS) for way, pair in WAYS.values()]
    with tempfile.TemporaryDirectory(prefix="autotune-") as name, plains(options.python, made, Path(name)) as running:
        sites = [Site(way, one.address, pair) for one, (way, (_, pair)) in zip(running, WAYS.items(), strict=True)]
        with nginx(Path(name), sites) as front:
            return in_turns(front, sites, running, repeats(options))


def in_turns(front: Proxy, sites: list[Site], running: list[Running], times: int) -> dict[str, Any]:
    """Every way once, then again."""
    found: dict[str, dict[str, list[dict[str, float]]]] = {site.name: {} for site in sites}
    for _ in range(times):
        for count in CONNECTIONS:
            for site, server in zip(sites, running, strict=True):
                before = time_waits(server.server.port)
                one = one_run(str(site.target(front)), count)
                one["time_wait"] = max(0, time_waits(server.server.port) - before)
                found[site.name].setdefault(str(count), []).append(one)
    return {way: {count: medians(runs) for count, runs in by_count.items()} for way, by_count in found.items()}


def medians(runs: list[dict[str, float]]) -> dict[str, float]:
    """Of each figure; of the failed the sum. Pure."""
    return {name: median(one[name] for one in runs) for name in runs[0]} | {
        "failed": sum(one["failed"] for one in runs)
    }


def one_run(url: str, connections: int) -> dict[str, float]:
    """What wrk says; NotRunError when it does not."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{RUN_SECONDS}s", "--latency", url]
    told = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS + 30, check=False)
    return parsed(told.stdout + told.stderr)


def parsed(text: str) -> dict[str, float]:
    """Requests a second, p99 in seconds, answers without a 2xx or 3xx and broken connections. Pure."""
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s|m)\b", text)
    if not rate or not p99:
        raise NotRunError(f"wrk said: {text.strip() or 'nothing'}")
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    broken = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    failed = (int(bad[1]) if bad else 0) + (sum(map(int, broken.groups())) if broken else 0)
    return {"per_second": float(rate[1]), "p99_seconds": float(p99[1]) * _UNITS[p99[2]], "failed": failed}


def time_waits(port: int) -> int:
    """Sockets in TIME_WAIT with that port at one end; 0 for UNIX, which has none."""
    return time_waits_in(Path("/proc/net/tcp").read_text(), port) if port else 0


def time_waits_in(text: str, port: int) -> int:
    """As /proc/net/tcp tells. Pure."""
    end = f":{port:04X}"
    rows = (line.split() for line in text.splitlines()[1:])
    return sum(row[3] == TIME_WAIT and (row[1].endswith(end) or row[2].endswith(end)) for row in rows)


def told(found: dict[str, Any]) -> str:
    """One line of progress."""
    if "not_run" in found:
        return f"not run: {found['not_run']}"
    words = [
        f"{way} c={count} {one['per_second']:.0f}/s p99 {one['p99_seconds'] * 1e3:.1f} ms"
        for way, by_count in found.items()
        for count, one in by_count.items()
    ]
    return ", ".join(words)
