"""A server in a few lines of fake time: requests arrive evenly, slots serve them, K cores are shared fairly."""

from __future__ import annotations

from dataclasses import dataclass, field

from gunicorn_autotune.law import decide, start
from gunicorn_autotune.model.decisions import Decision
from gunicorn_autotune.model.history import History
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.readings import HostReading
from gunicorn_autotune.model.snapshot import Snapshot, WorkerState
from gunicorn_autotune.testing import a_host, a_snapshot, a_worker

SLICE_SECONDS = 0.01


@dataclass
class Server:
    """One application: `wait_seconds` off the CPU and `work_seconds` on it for each request."""

    wait_seconds: float = 0.1
    work_seconds: float = 0.0
    cores: float = 2.0
    boot_seconds: float = 0.03
    boot_cpu_seconds: float = 0.03
    target: int = 2
    host: HostReading | None = None
    sees: dict[str, object] = field(default_factory=dict)
    """Fields of the snapshot that overrule what really is."""
    at: float = 0.0
    owed: float = 0.0
    waiting: list[float] = field(default_factory=list)
    running: list[list[float]] = field(default_factory=list)
    spawned: list[float] = field(default_factory=list)
    started: int = 0
    finished: int = 0
    boots: int = 0
    busy: float = 0.0
    cpu: float = 0.0
    delay: float = 0.0
    service: float = 0.0
    squares: float = 0.0
    late: int = 0

    def __post_init__(self) -> None:
        self.spawned = [-100.0] * self.target
        self.boots = self.target

    def ready(self) -> int:
        """Workers past their boot."""
        return sum(1 for one in self.spawned if self.at - one >= self.boot_seconds)

    def step(self, rate: float, seconds: float = SLICE_SECONDS) -> None:
        """One slice of time at `rate` requests per second."""
        up = self.ready()
        self.at += seconds
        self.boots += self.ready() - up
        self.owed += rate * seconds
        while self.owed >= 1.0:
            self.owed -= 1.0
            self.waiting.append(self.at)
        while self.waiting and len(self.running) < self.ready():
            self.late += self.at - self.waiting.pop(0) > 0.1
            self.started += 1
            self.running.append([self.work_seconds, self.wait_seconds, self.at])
        self._serve(seconds)

    def _serve(self, seconds: float) -> None:
        runnable = [one for one in self.running if one[0] > 0]
        share = min(1.0, self.cores / len(runnable)) if runnable else 1.0
        self.busy += seconds * len(self.running)
        for one in self.running:
            if one[0] > 0:
                one[0] -= seconds * share
                self.cpu += seconds * share
                self.delay += seconds * (1.0 - share)
            else:
                one[1] -= seconds
        for one in [one for one in self.running if one[0] <= 1e-9 and one[1] <= 1e-9]:
            self.running.remove(one)
            self.finished += 1
            took = self.at - one[2] + seconds
            self.service += took
            self.squares += took * took

    def resize(self, target: int) -> None:
        """What TTIN and TTOU do."""
        self.target = target
        self.spawned = (self.spawned + [self.at] * (target - len(self.spawned)))[:target]

    def snapshot(self) -> Snapshot:
        """What the sensors would read."""
        busy, workers = len(self.running), []
        for slot, spawned_at in enumerate(self.spawned):
            booting = self.at - spawned_at < self.boot_seconds
            state = WorkerState.BOOTING if booting else None
            in_flight = 0 if booting else int(slot < busy)
            workers.append(
                a_worker(slot, state=state, spawned_at=spawned_at, boot_seconds=self.boot_seconds, in_flight=in_flight)
            )
        fields: dict[str, object] = {
            "at": self.at,
            "workers": workers,
            "backlog": len(self.waiting),
            "busy_seconds": self.busy,
            "started": self.started,
            "finished": self.finished,
            "service_seconds": self.service,
            "service_seconds_squared": self.squares,
            "cpu_seconds": self.cpu,
            "run_delay_seconds": self.delay,
            "boot_cpu_seconds": self.boots * self.boot_cpu_seconds,
            "boots": self.boots,
            "target": self.target,
            "host": self.host or a_host(self.cores),
        }
        return a_snapshot(**{**fields, **self.sees})


@dataclass
class Run:
    """A server under the law: every decision with its time."""

    server: Server
    policy: Policy
    history: History = field(default_factory=History)
    decisions: list[tuple[float, Decision]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.history = start(self.server.snapshot())

    def serve(self, rate: float, seconds: float, tick_seconds: float = 0.25) -> Run:
        """Serve `rate` requests per second for `seconds`, deciding every tick."""
        for _ in range(round(seconds / tick_seconds)):
            for _ in range(round(tick_seconds / SLICE_SECONDS)):
                self.server.step(rate)
            decision, self.history = decide(self.policy, self.history, self.server.snapshot())
            self.decisions.append((self.server.at, decision))
            self.server.resize(decision.target)
        return self

    def last(self) -> Decision:
        """The latest decision."""
        return self.decisions[-1][1]

    def since(self, at: float) -> list[Decision]:
        """Decisions after `at`."""
        return [decision for when, decision in self.decisions if when > at]
