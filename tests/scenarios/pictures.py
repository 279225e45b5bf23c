"""A run as text: ten seconds a line, or bars."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gunicorn_autotune.model.decisions import Action, Decision
from gunicorn_autotune.testing import Second
from tests.scenarios.figures import Run, most_said, seconds_of

_EVERY_SECONDS = 10
_WIDTH = 100
_BARS = " ▁▂▃▄▅▆▇█"
_HEAD = f"  {'at':>6}{'target':>8}{'ready':>7}{'waiting':>9}{'busy':>6}{'late/s':>8}{'req/s':>7}  bottleneck"


def trace(run: Run) -> str:
    """Every ten seconds, and every decision that changed something at its time."""
    lines = [*_every_ten(run), *_changes(run)]
    return "\n".join([_HEAD, *(text for _, text in sorted(lines, key=lambda line: line[0]))])


def _every_ten(run: Run) -> Iterator[tuple[float, str]]:
    for end in range(_EVERY_SECONDS, int(run.outcome.seconds) + 1, _EVERY_SECONDS):
        part = seconds_of(run.outcome, end - _EVERY_SECONDS, end)
        if part:
            last, late, arrived = part[-1], _mean(part, lambda one: one.late), _mean(part, lambda one: one.arrived)
            counts = f"  {end:6}{last.target:8}{last.ready:7}{last.waiting:9}{last.in_service:6}"
            yield end, f"{counts}{late:8.1f}{arrived:7.1f}  {most_said(run, end - _EVERY_SECONDS, end)}"


def _changes(run: Run) -> Iterator[tuple[float, str]]:
    before = run.scenario.workers
    for at, decision in run.decisions:
        if decision.action is not Action.HOLD:
            yield at, f"  {at:6.2f} {_words(before, decision)}"
        before = decision.target


def _words(before: int, decision: Decision) -> str:
    facts = " ".join(f"{name}={value:.4g}" for name, value in decision.facts.items())
    return f"{decision.action.value} {before}->{decision.target} {decision.reason.value} {facts}"


def plot(run: Run) -> str:
    """Bars over the whole run; each row has its own scale, whose top is given."""
    rows = (
        ("arrivals/s", lambda one: one.arrived),
        ("ready", lambda one: one.ready),
        ("waiting", lambda one: one.waiting),
        ("late/s", lambda one: one.late),
    )
    return "\n".join(_bars(run, name, figure) for name, figure in rows)


def _bars(run: Run, name: str, figure: Callable[[Second], float]) -> str:
    history = run.outcome.history
    count = min(_WIDTH, len(history))
    parts = [history[i * len(history) // count : (i + 1) * len(history) // count] for i in range(count)]
    means = [_mean(part, figure) for part in parts]
    top = max(means) or 1.0
    return f"  {name:>10} |" + "".join(_BARS[round(mean / top * 8)] for mean in means) + f"| {top:.4g}"


def _mean(seconds: list[Second], figure: Callable[[Second], float]) -> float:
    return sum(figure(second) for second in seconds) / len(seconds)
