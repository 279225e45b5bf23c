"""The cell: one server, disturbed from beginning to end, and its accounts."""

from __future__ import annotations

import asyncio
import random
import re
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.faults.arithmetic import answered, rightly_answered
from benchmarks.faults.chaos import accounts, disturbances
from benchmarks.faults.chaos.disturbances import Disturber, Done, Site
from benchmarks.faults.chaos.limits import Limits, limits
from benchmarks.faults.chaos.scrapes import Scraper, longest_gap, total
from benchmarks.faults.chaos.streams import LONGEST_SECONDS, Streams
from benchmarks.faults.measure import counted, tally
from benchmarks.faults.options import ROOT, NotRunError, Options, Tell
from benchmarks.faults.sender import Sender
from benchmarks.faults.server import Running, Setup, serving
from benchmarks.faults.watch import exporter_of, sizes
from benchmarks.micro.status import status
from benchmarks.openloop import Request

from gunicorn_autotune.testing.load import day

LOW, PEAK = 5.0, 30.0
PATHS = ("/", "/", "/spin", "/", "/fork")
POSTS_EVERY = 7
"""Prime to the number of paths, so that each of them is a POST at times."""
STREAMS = 6
JOBS_A_REQUEST = 2
THREADS = 8
GRACEFUL_SECONDS = 60
"""More than LONGEST_SECONDS: no stream that a client leaves in time is ended by Gunicorn, with us or without."""
TIMEOUT_SECONDS = 120
"""More than GRACEFUL_SECONDS: before 25 a gthread worker that leaves is silent meanwhile."""
QUICK_MINUTES = 0.5
SETTLED_SECONDS = 60.0
END_SECONDS = 30.0
SETTINGS: dict[str, Any] = {
    "min_workers": 2, "max_workers": 8, "operator_hold_seconds": 5, "calm_seconds": 5, "scale_down_window_seconds": 10,
    "recycle_gap_seconds": 0.5, "recycles_per_hour": 36000, "flight_record": "flight", "flight_record_bytes": 1 << 20,
}  # fmt: skip
"""Brakes off, so that the law acts as often as it is disturbed."""
LINES = (
    "worker_class = 'gthread'", f"threads = {THREADS}", f"graceful_timeout = {GRACEFUL_SECONDS}",
    f"timeout = {TIMEOUT_SECONDS}",
)  # fmt: skip
KEPT_LOG = ROOT / "benchmarks" / "out" / "chaos.log"
"""The log of the last run, to look into."""
KILLED = re.compile(r"\(pid:(\d+)\) was sent SIGKILL")
TIMED_OUT = re.compile(r"WORKER TIMEOUT \(pid:(\d+)\)")
NOT_LEFT = re.compile(r"worker did not leave in time, killed pid=(\d+)")


def minutes_of(options: Options) -> float:
    """Of the load."""
    return QUICK_MINUTES if options.quick else options.soak_minutes


def minutes(options: Options) -> float:
    """What the cell takes."""
    return minutes_of(options) + 0.5


def run(options: Options, tell: Tell) -> dict[str, Any]:
    """One server from beginning to end; `violations` is empty when the accounts balance."""
    seconds = minutes_of(options) * 60.0
    with limits() as cuts, tempfile.TemporaryDirectory(prefix="autotune-") as metrics:
        tell(f"chaos: {seconds / 60.0:g} min, seed {options.seed}; limits to cut: {', '.join(cuts.groups) or 'none'}")
        lines, told = (*cuts.joining, *LINES), {"PROMETHEUS_MULTIPROC_DIR": metrics}
        made = Setup(lines, SETTINGS, told, app="chaotic:app", notes=False)
        with serving(options.python, made) as running:
            try:
                part = disturbed(running, cuts, Path(metrics), options.seed, seconds, tell)
            finally:
                KEPT_LOG.parent.mkdir(exist_ok=True)
                KEPT_LOG.write_text(running.log)
    part |= {"seconds": seconds, "seed": options.seed, "limits": list(cuts.groups), "gunicorn": list(LINES)}
    part["violations"] = accounts.violations(part)
    for one in part["violations"]:
        tell(f"    violation: {one}")
    if not part["violations"]:
        del part["journal"]  # hundreds of lines, of use only to whoever looks for what went wrong
    return part


def disturbed(
    running: Running, cuts: Limits, metrics: Path, seed: int, seconds: float, tell: Tell
) -> dict[str, Any]:  # fmt: skip
    """Load, streams, scrapes and disturbances for so long; then quiet, the last count, and the end."""
    port, arbiter = running.server.metrics_port, running.server.pid
    draws = [random.Random(seed * 10 + number) for number in range(3)]
    scraper = Scraper(port, arbiter, metrics)
    disturber = Disturber(Site(arbiter, port, cuts, draws[0]), tell)
    streams = Streams(running.server.port, STREAMS, draws[1])
    files_before = at_rest(port, arbiter)
    before = first_counts(scraper)
    exits = tally(port)
    sender = Sender(running.target, moments(seconds, draws[2]), tell, posts_every=POSTS_EVERY, paths=PATHS)
    with beside(scraper), beside(streams), beside(disturber):
        requests = asyncio.run(sender.drive())
    files_after = None
    if running.server.process.poll() is None:
        files_after = at_rest(port, arbiter)
        last_scrape(scraper)
    found = workers_and_counts(scraper, before) | counted(exits, tally(port))
    exporter = exporter_of(arbiter)
    found |= {"arbiter_exit_code": end(running.server.process), "left_behind": left(arbiter, exporter)}
    seen = pids_in(running.folder / "seen")
    found["growth"] = accounts.growth(scraper.looks, files_before, files_after)
    return found | judged(requests, sender.began, seen, disturber, streams, scraper, running.log, cuts)


def first_counts(scraper: Scraper) -> dict[str, float]:
    """The counters before anything is done."""
    if not scraper.once():
        raise NotRunError(f"no metrics: {scraper.failures[-1][2]}")
    return scraper.last


@contextmanager
def beside(task: Scraper | Streams | Disturber) -> Iterator[None]:
    """The task in a thread; an error in it is an error of the run."""
    errors: list[Exception] = []

    def guarded() -> None:
        try:
            task.run()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    try:
        yield
    finally:
        task.ended.set()
        thread.join()
    if errors:
        raise NotRunError(f"{type(task).__name__}: {type(errors[0]).__name__}: {errors[0]}") from errors[0]


def moments(seconds: float, draw: random.Random) -> list[float]:
    """A working day of Poisson arrivals in so many seconds."""
    return day(round(seconds), peak=PEAK, low=LOW).arrivals(draw)


def at_rest(port: int, arbiter: int) -> int | None:
    """The arbiter's open files once as few workers as there may be are idle and were measured; None if never.

    Each child costs it files, more once it was looked at: only so two moments can be compared.
    """
    deadline = time.monotonic() + SETTLED_SECONDS
    while time.monotonic() < deadline:
        try:
            workers = status(port)["workers"]
        except (OSError, ValueError, KeyError):
            workers = []
        ready = all(one["state"] == "idle" and isinstance(one["uss_bytes"], int) for one in workers)
        if ready and len(workers) == SETTINGS["min_workers"]:
            return sizes(arbiter)["fds"]
        time.sleep(0.5)
    return None


def last_scrape(scraper: Scraper) -> None:
    """Scrape until whoever was started has ended or lives, as a worker may come or go in the middle of a scrape.

    What was seen last stands where that does not come true for END_SECONDS; the accounts tell.
    """
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        if scraper.once():
            told = workers_and_counts(scraper, {})
            if told["spawned"] == told["ended"] + told["alive"]:
                return
        time.sleep(0.2)


def workers_and_counts(scraper: Scraper, before: dict[str, float]) -> dict[str, Any]:
    """What the server has counted by the last scrape, and the workers that live."""
    since = {name: total(scraper.last, full) - total(before, full) for name, full in {
        "requests": "gunicorn_worker_requests_total", "durations": "gunicorn_request_duration_seconds_count",
        "app": "chaos_requests_total", "jobs": "chaos_jobs_total",
    }.items()}  # fmt: skip
    return {
        "counted": since,
        "spawned": total(scraper.last, "gunicorn_worker_spawns_total"),
        "ended": total(scraper.last, "gunicorn_worker_exits_total"),
        "alive": scraper.alive,
    }


def end(process: subprocess.Popen[bytes]) -> int | None:
    """TERM, and the exit code; None when it does not end."""
    process.terminate()
    try:
        return process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        return None


def left(arbiter: int, exporter: int | None) -> list[str]:
    """Processes of the server that outlive it by more than a moment."""
    deadline = time.monotonic() + 5.0
    while (found := _left(arbiter, exporter)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def _left(arbiter: int, exporter: int | None) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                group = int((entry / "stat").read_text().rpartition(")")[2].split()[2])
            except (OSError, ValueError):
                continue
            if group == arbiter:
                found.append(f"process {entry.name} of the group of the arbiter")
    if exporter is not None and exporter_of(arbiter) == exporter:
        found.append(f"the exporter, {exporter}")
    return found


def pids_in(path: Path) -> dict[int, list[int]]:
    """The processes that have begun each request, by its number."""
    data = path.read_bytes() if path.exists() else b""
    found: dict[int, list[int]] = {}
    for number, pid in struct.iter_unpack("<II", data[: len(data) - len(data) % 8]):
        found.setdefault(number, []).append(pid)
    return found


def judged(
    requests: Sequence[Request], began: float, seen: dict[int, list[int]], disturber: Disturber, streams: Streams,
    scraper: Scraper, log: str, cuts: Limits,
) -> dict[str, Any]:  # fmt: skip
    """The accounts but for what the server has counted."""
    journal = disturber.journal
    ours = {done.pid: done.at for done in journal if done.name == "worker killed" and done.pid is not None}
    by_kernel = killed_by_kernel(log) - set(ours)
    kills = accounts.Kills(ours, by_kernel)
    forked = [done for done in journal if done.name == "processes cut"]
    oom_kills = cuts.memory.oom_kills() if cuts.memory else None
    jobs = [one for number, one in enumerate(requests) if PATHS[number % len(PATHS)] == "/fork"]
    good = sum(map(rightly_answered, requests))
    return answered(requests, None, POSTS_EVERY) | accounts.requests_lost(
        requests, began, PATHS, seen, kills, forked
    ) | {
        "answered": good,
        "jobs": {"answered": JOBS_A_REQUEST * sum(map(rightly_answered, jobs)), "sent": JOBS_A_REQUEST * len(jobs)},
        "streams": {
            "opened": streams.opened, "left": streams.left, "cut": accounts.streams_cut(streams.cuts, kills),
            "longest_seconds": LONGEST_SECONDS,
        },
        "disturbances": disturbances.counts(journal), "missed": disturber.missed, "kernel_kills": len(by_kernel),
        "oom_kills": oom_kills,
        "scrapes": scraper.scrapes, "failed_scrapes": len(scraper.failures),
        "longest_gap_seconds": round(longest_gap(scraper), 1), "counters": len(scraper.last),
        "counters_wrong": scraper.wrong[: accounts.EXAMPLES],
        "scrapes_unexplained": accounts.scrapes_explained(
            scraper.failures, journal, (oom_kills or 0) > len(by_kernel)
        )[: accounts.EXAMPLES],
        "metric_files_most": max(accounts.values(scraper.looks, "metric_files"), default=None),
        "journal": told(journal, began),
    }  # fmt: skip


def killed_by_kernel(log: str) -> frozenset[int]:
    """Workers that Gunicorn saw end by SIGKILL, which neither it nor autotune had sent."""
    sent = TIMED_OUT.findall(log) + NOT_LEFT.findall(log)
    return frozenset(map(int, KILLED.findall(log))) - frozenset(map(int, sent))


def told(journal: Sequence[Done], began: float) -> list[list[Any]]:
    """The journal in seconds since the first request, to look into."""
    return [[round(one.at - began, 2), one.name, one.pid] for one in journal]
