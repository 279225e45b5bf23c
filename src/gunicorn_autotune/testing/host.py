"""SIMULATED HOST: a prefork server in fake time, event by event, that drives the same law as production.

K cores are shared equally by the processes that want one (requests, boots, neighbours); a full listen queue drops;
threads of one worker take turns at the GIL; the database is a pool or slows down with concurrency. What it leaves
out: the network, the kernel's choice of worker (the last idle one is taken, a random one with threads), GIL switches
inside a burst, keep-alive. docs/evidence.md says how far it is from real runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop

from gunicorn_autotune.law import decide, start
from gunicorn_autotune.model.decisions import Decision
from gunicorn_autotune.model.history import History
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.model.snapshot import Snapshot
from gunicorn_autotune.testing.drawn import requests_of
from gunicorn_autotune.testing.load import Load, Trace
from gunicorn_autotune.testing.outcome import Outcome, Second
from gunicorn_autotune.testing.prefork import Prefork
from gunicorn_autotune.testing.processes import Request
from gunicorn_autotune.testing.reading import snapshot_of
from gunicorn_autotune.testing.sharing import FOREVER
from gunicorn_autotune.testing.world import Application, Change, Machine

Controller = Callable[[Snapshot], "int | Decision"]
"""From what the sensors read to the worker count it wants, or a decision of the law, which may name who leaves."""


@dataclass
class Autotuned:
    """The law as a controller; keeps every decision with its time."""

    policy: Policy
    history: History | None = None
    decisions: list[tuple[float, Decision]] = field(default_factory=list)

    def __call__(self, snapshot: Snapshot) -> Decision:
        """What the law decides."""
        history = start(snapshot) if self.history is None else self.history
        decision, self.history = decide(self.policy, history, snapshot)
        self.decisions.append((snapshot.at, decision))
        return decision

    @property
    def verdicts(self) -> set[str]:
        """Bottlenecks named at any time."""
        named = [decision.bottleneck for _, decision in self.decisions]
        return {one.value for one in named if not isinstance(one, Missing)}


def autotuned(policy: Policy) -> Autotuned:
    """A controller that is the law in production, with a history of its own."""
    return Autotuned(policy)


class SimulatedHost(Prefork):
    """One run of one server. Build it, `run` it once, read the outcome."""

    def __init__(
        self, application: Application, load: Load | Trace, machine: Machine | None = None, *,
        workers: int = 2, seed: int = 1, changes: Sequence[Change] = (),
    ) -> None:  # fmt: skip
        super().__init__(application, machine or Machine(), seed)
        self.load = load
        self.target = workers
        self.outcome.seconds = float(load.seconds)
        self.requests = requests_of(application, load, seed)
        for _ in range(workers):
            self._ready(self._new_worker())
        for change in sorted(changes, key=lambda one: one.at):
            self._at(change.at, self._change, change)

    def run(self, controller: Controller, tick_seconds: float = 0.25) -> Outcome:
        """Serve the whole load, asking `controller` every tick."""
        arrivals = iter(self.requests)
        arrival = next(arrivals, None)
        ticks, tick_at, end = 0, tick_seconds, float(self.load.seconds)
        while True:
            arrives_at = arrival.arrived_at if arrival is not None else FOREVER
            timer_at = self.timers[0][0] if self.timers else FOREVER
            at = min(arrives_at, timer_at, self.cpu.next_at, self.database.next_at, tick_at)
            if at > end:
                break
            self._advance(at)
            if at == arrives_at and arrival is not None:
                self._arrive(arrival)
                arrival = next(arrivals, None)
            elif at == self.cpu.next_at:
                self._computed(self.cpu.pop())
            elif at == self.database.next_at:
                self._answered(self.database.pop())
            elif at == timer_at:
                _, _, act, what = heappop(self.timers)
                act(what)
            else:
                ticks += 1
                tick_at = (ticks + 1) * tick_seconds
                self._tick(controller, tick_seconds)
        self._advance(end)
        self.outcome.left_waiting = [end - request.arrived_at for request in self.waiting()]
        return self.outcome

    def _change(self, change: Change) -> None:
        self.application = change.application or self.application
        self.machine = change.machine or self.machine
        self.cpu.retime()
        self.database.retime()
        self._lend()

    def _tick(self, controller: Controller, seconds: float) -> None:
        self._reap_over_limit()
        before = self.target
        answer = controller(snapshot_of(self))
        # A decision may be 0 workers, while the only one is replaced where no other fits beside it.
        wanted, victim = (answer.target, answer.victim) if isinstance(answer, Decision) else (max(1, answer), None)
        self.target = wanted
        if self.target != before:
            self.outcome.actions.append((self.at, before, self.target))
        self._resize(victim)
        memory = self.memory_bytes()
        self.outcome.worker_seconds += len(self.workers) * seconds
        self.outcome.gb_seconds += memory / 1e9 * seconds
        if self.at == int(self.at):
            self._note_second(memory)

    def _note_second(self, memory_bytes: int) -> None:
        arrived, finished, late = self._second
        self._second = [0, 0, 0]
        ready = sum(1 for one in self.workers if one.ready_at is not None and not one.draining)
        self.outcome.history.append(
            Second(self.at, arrived, finished, late, self.target, ready, len(self.waiting()), self.counters.in_service,
                   memory_bytes)
        )  # fmt: skip

    def _resize(self, victim: int | None) -> None:
        serving = [worker for worker in self.workers if not worker.draining]
        for number in range(self.target - len(serving)):
            self._spawn(number * self.machine.fork_seconds)
        if len(serving) > self.target:
            serving.sort(
                key=lambda one: (
                    one.age != victim, -1 if one.ready_at is None else one.in_flight, -one.private_bytes, one.age
                )
            )  # fmt: skip
            for worker in serving[: len(serving) - self.target]:
                self._drain(worker)

    def _reap_over_limit(self) -> None:
        """The kernel's OOM killer: the fattest goes, its requests with it."""
        while self.workers and self.memory_bytes() > self.machine.memory_limit_bytes:
            victim = max(self.workers, key=lambda one: one.private_bytes)
            self.outcome.oom_kills += 1
            self.counters.oom_kills += 1
            self.outcome.dropped += victim.in_flight + len(victim.queued)
            self.counters.in_service -= victim.in_flight
            self.counters.lost += victim.in_flight
            self._forget_boot(victim)
            self.cpu.drop(lambda job, gone=victim: isinstance(job, Request) and job.worker is gone)  # type: ignore[misc]
            self._leave(victim)
