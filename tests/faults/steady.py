"""A steady open-loop load beside a fault: what users keep is the count of requests that were not answered."""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.server import Server, wait_for

CLIENTS = 32
FIGURES = "AUTOTUNE_STEADY_FIGURES"
"""Names a file that `python -m benchmarks.faults --cells suite` reads: a line of JSON for each load."""


@dataclass
class Steady:
    """Requests at an even pace, each on a connection of its own, sent whether or not the last one was answered."""

    server: Server
    path: str
    method: str
    requests_per_second: float
    patience_seconds: float
    statuses: list[int] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """What happened to the requests that got no 200, in words, with the second they were sent in."""
    sent: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)
    _settled: threading.Event = field(default_factory=threading.Event)

    def __str__(self) -> str:
        return f"{len(self.failed)} of {self.asked} requests failed"

    @property
    def asked(self) -> int:
        """Requests sent and settled so far."""
        return len(self.statuses) + sum(" status " not in one for one in self.failed)

    def answered(self, more: int = 1) -> None:
        """Wait until `more` requests than now have been answered 200."""
        enough = self.statuses.count(200) + more
        wait_for(lambda: self.statuses.count(200) >= enough, f"{more} more answers (failed: {self.failed[-5:]})", 60)

    def run(self) -> None:
        """Until the end is called, then until the last answer."""
        began = time.monotonic()
        with ThreadPoolExecutor(CLIENTS) as clients:
            while not self._ended.is_set():
                due = began + self.sent / self.requests_per_second
                self._ended.wait(max(0.0, due - time.monotonic()))
                clients.submit(self._one, due - began)
                self.sent += 1
        self._settled.set()

    def end(self) -> None:
        """Send no more."""
        self._ended.set()

    def settled(self) -> None:
        """Wait until the end was called and every request that was sent has its answer."""
        assert self._settled.wait(60), f"requests without an answer: {self}"

    def _one(self, at: float) -> None:
        connection = self.server.connection(self.patience_seconds)
        try:
            connection.request(self.method, self.path, headers={"Connection": "close"})
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            self.failed.append(f"{at:.2f} s: {type(error).__name__}: {error}")
        else:
            self.statuses.append(status)
            if status != 200:
                self.failed.append(f"{at:.2f} s: status {status}")
        finally:
            connection.close()


@contextmanager
def steady(
    server: Server, path: str = "/sleep?s=0.02", *, method: str = "GET", requests_per_second: float = 20.0,
    patience_seconds: float = 20.0,
) -> Iterator[Steady]:  # fmt: skip
    """Load for as long as the block lasts; after it, `failed` is complete."""
    load = Steady(server, path, method, requests_per_second, patience_seconds)
    thread = threading.Thread(target=load.run)
    thread.start()
    try:
        load.answered()
        yield load
    finally:
        load.end()
        thread.join()
        print(f"steady load: {load}")
        keep_figures(load)


def keep_figures(load: Steady) -> None:
    """One line, if anybody asked for it."""
    if path := os.environ.get(FIGURES):
        told = {"test": os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]}
        told |= {"requests": load.sent, "failed": load.failed}
        with open(path, "a") as file:
            file.write(json.dumps(told) + "\n")
