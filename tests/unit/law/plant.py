"""A server as a formula: so many requests a second with so many workers, all of them busy while requests wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gunicorn_autotune.law import decide, start
from gunicorn_autotune.model.decisions import Action, Decision
from gunicorn_autotune.model.history import History
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.snapshot import Snapshot, WorkerReading, WorkerState
from gunicorn_autotune.testing import a_host, a_policy, a_snapshot, a_worker

TICK_SECONDS = 0.25
WIDE = a_policy(max_workers=64)


def pool_of(connections: int, each_seconds: float = 0.1) -> Callable[[int], float]:
    """Workers share connections: more of them wait, and do nothing."""
    return lambda workers: min(workers, connections) / each_seconds


def scaling(each_seconds: float = 0.1) -> Callable[[int], float]:
    """Every worker brings as much as the first."""
    return lambda workers: workers / each_seconds


@dataclass
class Plant:
    """What is not served waits in the backlog."""

    does: Callable[[int], float]
    """Requests per second that so many workers with traffic can finish."""
    policy: Policy = WIDE
    takes_seconds: float = 0.1
    """One request, when none waits."""
    cores_used: float = 0.1
    """While requests wait; of two."""
    boot_seconds: float = 1.0
    unseen_seconds: float = 0.0
    """How long a worker that is up gets no traffic."""
    trickle: bool = False
    """While unseen it has served one request, and no more: a new connection of a proxy that keeps the others."""
    waits_in_bucket: int | None = None
    """Where in QUEUE_TIME_BOUNDS_SECONDS every queue time lies from now on; None: no proxy writes them."""
    sees: dict[str, Any] = field(default_factory=dict)
    """Fields of the snapshot that overrule what really is."""
    spawned: list[float] = field(default_factory=lambda: [-100.0] * 4)
    at: float = 0.0
    backlog: float = 0.0
    done: float = 0.0
    busy: float = 0.0
    squares: float = 0.0
    waited: list[float] = field(default_factory=lambda: [0.0] * 16)
    cpu: float = 0.0
    history: History = field(default_factory=History)
    decisions: list[tuple[float, Decision]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.history = start(self.snapshot())

    def served(self) -> int:
        """Workers that have traffic."""
        return sum(1 for one in self.spawned if self.at - one >= self.boot_seconds + self.unseen_seconds)

    def serve(self, rate: float, seconds: float) -> Plant:
        """`rate` requests per second for `seconds`, deciding four times a second."""
        for _ in range(round(seconds / TICK_SECONDS)):
            self._work(rate, TICK_SECONDS)
            decision, self.history = decide(self.policy, self.history, self.snapshot())
            self.decisions.append((self.at, decision))
            self.resize(decision.target)
        return self

    def _work(self, rate: float, seconds: float) -> None:
        wanted, able = rate * seconds + self.backlog, self.does(self.served()) * seconds
        finished = min(wanted, able)
        busy = self.served() * seconds if wanted > able else min(finished * self.takes_seconds, len(self.spawned))
        self.at += seconds
        self.backlog = wanted - finished
        self.done += finished
        if self.waits_in_bucket is not None:
            self.waited[self.waits_in_bucket] += finished
        self.busy += busy
        self.squares += busy * busy / finished if finished else 0.0
        self.cpu += self.cores_used * seconds * min(1.0, finished / able if able else 0.0)

    def resize(self, target: int) -> None:
        """The youngest come and go."""
        self.spawned = (self.spawned + [self.at] * (target - len(self.spawned)))[:target]

    def snapshot(self) -> Snapshot:
        """What the sensors would read."""
        workers = [self._worker(slot, spawned_at) for slot, spawned_at in enumerate(self.spawned)]
        fields: dict[str, Any] = {
            "at": self.at,
            "workers": workers,
            "backlog": int(self.backlog),
            "busy_seconds": self.busy,
            "started": int(self.done),
            "finished": int(self.done),
            "service_seconds": self.busy,
            "service_seconds_squared": self.squares,
            "cpu_seconds": self.cpu,
            "queue_time_counts": tuple(int(one) for one in self.waited),
            "boots": len(workers),
            "boot_cpu_seconds": 0.01 * len(workers),
            "host": a_host(2.0),
        }
        return a_snapshot(**{**fields, **self.sees})

    def _worker(self, slot: int, spawned_at: float) -> WorkerReading:
        age = self.at - spawned_at
        return a_worker(
            slot,
            state=WorkerState.BOOTING if age < self.boot_seconds else None,
            spawned_at=spawned_at,
            boot_seconds=self.boot_seconds,
            served=int(age >= self.boot_seconds + (0.0 if self.trickle else self.unseen_seconds)),
        )

    @property
    def target(self) -> int:
        """Workers there are."""
        return len(self.spawned)

    def last(self) -> Decision:
        """The latest decision."""
        return self.decisions[-1][1]

    def acts(self, action: Action, since: float = 0.0) -> list[tuple[float, int]]:
        """(at, target) of every decision of this kind after `since`."""
        return [(at, one.target) for at, one in self.decisions if one.action is action and at > since]
