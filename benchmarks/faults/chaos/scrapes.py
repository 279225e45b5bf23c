"""A scrape each second: every counter there is, whether one fell or vanished, and what could grow meanwhile."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.faults.watch import Looks, processes
from benchmarks.micro.status import get, status
from prometheus_client.parser import text_string_to_metric_families

EVERY_SECONDS = 1.0
PROCESSES_EVERY = 2
"""Scrapes between two looks at the processes."""
KEPT_EXAMPLES = 10

RISING = ("counter", "histogram")
Counters = Mapping[str, float]
"""Value by sample name and labels."""


def samples_of(text: str, types: Sequence[str]) -> dict[str, float]:
    """Value of every sample of these types by its name and labels."""
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in text_string_to_metric_families(text)
        if family.type in types
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def wrongs(before: Counters, after: Counters) -> list[str]:
    """Those that fell or vanished, in words."""
    gone = [f"{name} vanished at {value:g}" for name, value in before.items() if name not in after]
    fell = [f"{name} fell from {value:g} to {after[name]:g}" for name, value in before.items()
            if name in after and after[name] < value]  # fmt: skip
    return gone + fell


def total(counters: Counters, name: str) -> int:
    """Over all labels."""
    return int(sum(value for sample, value in counters.items() if sample.partition("[")[0] == name))


@dataclass
class Scraper:
    """Scrapes from a thread of its own until it is told to end."""

    metrics_port: int
    arbiter: int
    metric_files: Path
    scrapes: int = 0
    failures: list[tuple[float, float, str]] = field(default_factory=list)
    """(begun, ended, why)."""
    wrong: list[str] = field(default_factory=list)
    looks: list[dict[str, Any]] = field(default_factory=list)
    last: dict[str, float] = field(default_factory=dict)
    alive: int = 0
    """Workers, by the last scrape."""
    ended: threading.Event = field(default_factory=threading.Event)
    _count: int = 0

    def run(self) -> None:
        """Until the end."""
        due = time.monotonic()
        while not self.ended.wait(max(0.0, due - time.monotonic())):
            due = max(due + EVERY_SECONDS, time.monotonic())
            self.once()
            self._count += 1
            if not self._count % PROCESSES_EVERY:
                files = sum(1 for _ in self.metric_files.iterdir()) if self.metric_files.is_dir() else None
                self.looks.append(processes(Looks(0, self.arbiter)) | {"metric_files": files})

    def once(self) -> bool:
        """Both pages; whether they were to be had."""
        return all([self._asked(self._metrics), self._asked(lambda: status(self.metrics_port)["workers"])])

    def _asked(self, ask: Callable[[], Any]) -> bool:
        began = time.monotonic()
        try:
            ask()
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            self.failures.append((began, time.monotonic(), f"{type(error).__name__}: {error}"))
            return False
        self.scrapes += 1
        return True

    def _metrics(self) -> None:
        text = get(self.metrics_port, "/metrics").decode()
        found = samples_of(text, RISING)
        self.alive = total(samples_of(text, ("gauge",)), "gunicorn_workers")
        self.wrong += wrongs(self.last, found)
        self.last = found


def longest_gap(scraper: Scraper) -> float:
    """Seconds from the first of a row of failures to the end of its last one, of the longest such row."""
    longest, began, until = 0.0, 0.0, float("-inf")
    for start, end, _ in scraper.failures:
        if start - until > EVERY_SECONDS * 1.5:
            began = start
        until = end
        longest = max(longest, until - began)
    return longest
