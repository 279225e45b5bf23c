"""Knative's pod autoscaler (KPA), a worker for a pod of container concurrency 1.

Source: knative/serving pkg/autoscaler/scaling/autoscaler.go `Scale` and pkg/autoscaler/config/config.go:
- every 2 s: wanted = ceil(mean concurrency / 0.7) over the stable window of 60 s, and over the panic window of 6 s
  (10 %), each between floor(ready / 2) and ceil(ready x 1000);
- panic begins, and is prolonged, when what the panic window wants is >= 2.0 x ready; it ends 60 s after the last such
  tick. In panic: the larger of both, never fewer than before.
- an autoscaler that starts with more than one pod starts in panic at the present count.
- scale-down-delay 0.

Concurrency counts requests in service and those that wait, as activator and queue-proxy do. Approximated: Knative
averages buckets of 1 s, here the integral is exact; pods start elsewhere, here workers boot on the cores they share.
"""

from __future__ import annotations

import math

from benchmarks.simulation.peers.paced import Paced, Window, ready

from gunicorn_autotune.model.snapshot import Snapshot

STABLE_SECONDS, PANIC_SECONDS = 60.0, 6.0
PANIC_THRESHOLD, TARGET = 2.0, 0.7
MAX_UP_RATE, MAX_DOWN_RATE = 1000.0, 2.0


class KnativePodAutoscaler(Paced):
    """The KPA."""

    period_seconds = 2.0

    def __init__(self) -> None:
        super().__init__()
        self.window = Window(STABLE_SECONDS)
        self.panic_at: float | None = None
        self.most_in_panic = 0
        self._started = False

    def observe(self, snapshot: Snapshot) -> None:
        """Keep the concurrency of the last 60 s."""
        if not self._started:
            self._started = True
            if ready(snapshot) > 1:
                self.panic_at, self.most_in_panic = snapshot.at, ready(snapshot)
        self.window.add(snapshot)

    def act(self, snapshot: Snapshot) -> int:
        """One tick."""
        pods = max(1, ready(snapshot))
        stable, panic = self._wanted(STABLE_SECONDS), self._wanted(PANIC_SECONDS)
        self._panic(snapshot.at, panic / pods >= PANIC_THRESHOLD)
        most, least = math.ceil(MAX_UP_RATE * pods), math.floor(pods / MAX_DOWN_RATE)
        wanted = min(max(stable, least), most)
        if self.panic_at is not None:
            self.most_in_panic = max(self.most_in_panic, wanted, min(max(panic, least), most))
            return self.most_in_panic
        return wanted

    def _wanted(self, seconds: float) -> int:
        return math.ceil((self.window.busy(seconds) + self.window.waiting(seconds)) / TARGET)

    def _panic(self, at: float, crossed: bool) -> None:
        if crossed:
            self.panic_at = at
        elif self.panic_at is not None and at > self.panic_at + STABLE_SECONDS:
            self.panic_at, self.most_in_panic = None, 0
