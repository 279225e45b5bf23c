"""What a run of a scenario measured, each figure beside the range it is allowed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from gunicorn_autotune.model.decisions import Decision
from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.testing import Outcome, Second, SimulatedHost, autotuned
from gunicorn_autotune.testing.outcome import LATE_SECONDS
from tests.scenarios.scenario import PHASE_FIGURES, RUN_FIGURES, Phase, Range, Scenario, Words

ANY = Range()


@dataclass(frozen=True, slots=True)
class Run:
    """One scenario, run once with one seed."""

    scenario: Scenario
    seed: int
    outcome: Outcome
    decisions: list[tuple[float, Decision]]


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure of a run; `allowed` is None where the scenario does not care."""

    figure: str
    value: float | str
    allowed: Range | str | None
    holds: bool = True

    def __str__(self) -> str:
        value = self.value if isinstance(self.value, str) else f"{self.value:.4g}"
        return f"{self.figure} = {value}, allowed {self.allowed}"


def run(scenario: Scenario, seed: int, static: int | None = None) -> Run:
    """Play the story once, with the law or with a `static` count from the start."""
    law = autotuned(scenario.policy)
    host = SimulatedHost(
        scenario.application, scenario.load, scenario.machine, workers=static or scenario.workers, seed=seed,
        changes=scenario.changes,
    )  # fmt: skip
    outcome = host.run(law if static is None else lambda _: static, scenario.policy.tick_seconds)
    return Run(scenario, seed, outcome, law.decisions)


def findings(run: Run) -> Iterator[Finding]:
    """Every figure; those without a range too."""
    expected = run.scenario.expected
    for name in RUN_FIGURES:
        yield _ranged(name, _of_run(run, name), expected.ranges.get(name))
    for step in expected.recovered:
        seconds = run.outcome.recovered_after(step.after, step.within)
        yield _ranged(f"recovered after {step.after:g} s", seconds, step.allowed)
    yield from _worded("verdict", {_verdict(decision) for _, decision in run.decisions}, expected.verdicts)
    yield from _worded("reason", {decision.reason.value for _, decision in run.decisions}, expected.reasons)
    for phase in expected.phases:
        yield from _of_phase(run, phase)


def misses(run: Run) -> list[Finding]:
    """The figures outside their range."""
    return [finding for finding in findings(run) if not finding.holds]


def _ranged(name: str, value: float, allowed: Range | None) -> Finding:
    return Finding(name, value, allowed, value in (allowed or ANY))


def _worded(kind: str, said: set[str], words: Words) -> Iterator[Finding]:
    for word in words.must_appear:
        yield Finding(f"{kind} {word}", "said" if word in said else "never", "said", word in said)
    for word in words.must_not_appear:
        yield Finding(f"{kind} {word}", "said" if word in said else "never", "never", word not in said)


def _of_run(run: Run, name: str) -> float:
    if name == "actions":
        return len(run.outcome.actions)
    if name == "final_target":
        return run.outcome.history[-1].target
    if name == "peak_target":
        return max(second.target for second in run.outcome.history)
    return float(getattr(run.outcome, name))


def _of_phase(run: Run, phase: Phase) -> Iterator[Finding]:
    for name in PHASE_FIGURES:
        if name in phase.ranges:
            yield _ranged(f"{name} {phase}", _phase_figure(run, phase, name), phase.ranges[name])
    if phase.verdict:
        verdict = most_said(run, phase.begins, phase.ends)
        yield Finding(f"verdict {phase}", verdict, " or ".join(phase.verdict), verdict in phase.verdict)


def _phase_figure(run: Run, phase: Phase, name: str) -> float:
    if name == "late_share":
        return late_share(run.outcome, phase.begins, phase.ends)
    seconds = seconds_of(run.outcome, phase.begins, phase.ends)
    targets = [second.target for second in seconds]
    if name == "lowest_ready":
        return min(second.ready for second in seconds)
    if name == "throughput":
        return sum(second.finished for second in seconds) / len(seconds)
    if name == "mean_target":
        return sum(targets) / len(targets)
    return {"highest_target": max(targets), "lowest_target": min(targets), "final_target": targets[-1]}[name]


def seconds_of(outcome: Outcome, begins: float, ends: float) -> list[Second]:
    """The seconds that end after `begins`, up to `ends`."""
    return [second for second in outcome.history if begins < second.at <= ends]


def late_share(outcome: Outcome, begins: float, ends: float) -> float:
    """Requests that arrived then and waited over 0.1 s, of all that arrived then and were not dropped."""
    waits = [wait for at, wait in outcome.waits if begins <= at < ends]
    waits += [wait for wait in outcome.left_waiting if begins <= outcome.seconds - wait < ends]
    return sum(1 for wait in waits if wait > LATE_SECONDS) / len(waits) if waits else 0.0


def _verdict(decision: Decision) -> str:
    return "unknown" if isinstance(decision.bottleneck, Missing) else decision.bottleneck.value


def most_said(run: Run, begins: float, ends: float) -> str:
    """The bottleneck named at most ticks of a part of the run."""
    said = Counter(_verdict(decision) for at, decision in run.decisions if begins < at <= ends)
    return said.most_common(1)[0][0] if said else "nothing"
