"""Locust's own figures for a workload: a closed loop, reported beside the open loop and labelled, never the verdict.

Locust runs as a process of its own (importing it would patch ours for gevent) and prints its counts as JSON, answers
by milliseconds among them, so percentiles are taken here. Locust rounds those to two digits: 143 ms counts as 140.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.contest.contenders import MissingError
from benchmarks.contest.traces import Trace
from benchmarks.contest.workloads import WORKLOADS, Workload
from benchmarks.demo_server import die_with_parent, environment, stop
from benchmarks.openloop.results import percentile

ROOT = Path(__file__).parents[2]
LABEL = "closed loop"
MARGIN_SECONDS = 75.0
"""Beyond the trace: Locust's patience of 30 s with a server that is stuck, before its last tick and after it."""


class NotMeasuredError(RuntimeError):
    """Locust gave no figures; the message is one line."""


def closed(
    workload: Workload, port: int, seed: int, cores: Sequence[int] = (), server_cores: int = 1
) -> dict[str, Any]:
    """The workload's trace by Locust against a port of loopback, pinned to `cores` if given; see `figures`.

    It ends by itself with the trace, at the latest MARGIN_SECONDS later. MissingError without Locust,
    NotMeasuredError when it gave no figures.
    """
    if find_spec("locust") is None:
        raise MissingError("Locust is not installed (pip install 'locust>=2.20')")
    printed = run(command(workload, port, seed, server_cores), workload.seconds + MARGIN_SECONDS, cores)
    users_most = Trace(workload, cores=server_cores).users_most
    return {"workload": workload.name, "label": LABEL, "users_most": users_most} | figures(printed)


def command(workload: Workload, port: int, seed: int, server_cores: int = 1) -> list[str]:
    """What one would type, with JSON for the answer."""
    short = [] if workload.phases == WORKLOADS[workload.name].phases else ["--short"]
    return [
        sys.executable, "-m", "locust", "-f", "benchmarks/locustfile.py", "--headless", "--only-summary", "--json",
        "--loglevel", "ERROR", "--host", f"http://127.0.0.1:{port}", "--trace", workload.name, "--seed", str(seed),
        "--cores", str(server_cores), *short,
    ]  # fmt: skip


def run(line: Sequence[str], patience_seconds: float, cores: Sequence[int] = ()) -> str:
    """What the command printed; ended by pid, with all it started, when its time is up or ours is."""

    def alone() -> None:
        die_with_parent()
        if cores:
            os.sched_setaffinity(0, cores)

    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            line, cwd=ROOT, env=clean_environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            start_new_session=True, preexec_fn=alone,
        )  # fmt: skip
        try:
            process.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            raise NotMeasuredError(f"Locust did not end within {patience_seconds:g} s and was stopped") from None
        finally:
            stop(process)
        printed = read(out)
        # 1 says that requests failed: figures all the same.
        if process.returncode not in (0, 1) or not printed.strip():
            raise NotMeasuredError(f"Locust ended with exit code {process.returncode}: {last_line(read(err))}")
        return printed


def clean_environment() -> dict[str, str]:
    """Ours, without settings of Locust that would beat the command line's defaults."""
    return {name: text for name, text in environment().items() if not name.startswith("LOCUST_")}


def read(file: Any) -> str:
    """All of it as text."""
    file.seek(0)
    return str(file.read().decode("utf-8", "replace"))


def last_line(text: str) -> str:
    """The last that it said."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it said nothing")


def figures(printed: str) -> dict[str, Any]:
    """From what `locust --json` prints: requests, failed, p50/p95/p99_seconds of all answers, failed ones included,
    and requests_per_second between the first and the last answer. NotMeasuredError where there is nothing."""
    try:
        rows = json.loads(printed)
        requests, failed = (sum(row[key] for row in rows) for key in ("num_requests", "num_failures"))
        answers = Counter[int]()
        for row in rows:
            answers.update({int(ms): count for ms, count in row["response_times"].items()})
        seconds = max((row["last_request_timestamp"] or 0.0) for row in rows) - min(row["start_time"] for row in rows)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NotMeasuredError(f"no figures in what `locust --json` printed: {printed[:60]!r}") from None
    ordered = sorted(answers.elements())
    quantiles = {
        f"p{round(share * 100)}_seconds": in_seconds(percentile(ordered, share)) for share in (0.5, 0.95, 0.99)
    }
    rate = round(requests / seconds, 2) if seconds > 0 else None
    return {"requests": requests, "failed": failed, **quantiles, "requests_per_second": rate}


def in_seconds(milliseconds: float | None) -> float | None:
    """None stays none."""
    return None if milliseconds is None else milliseconds / 1000
