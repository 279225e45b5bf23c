"""Recorded snapshots through the same law once more. Pure: a flight and a policy in, both decisions of each tick out.

The replay is open loop: the recorded world does not react to what is decided now, and the `target` of each snapshot
stays the recorded one, so that every tick asks "in this situation, what would be decided?".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gunicorn_autotune.cli.flights import Flight
from gunicorn_autotune.law import law
from gunicorn_autotune.model.decisions import Action, Decision
from gunicorn_autotune.model.flight import redacted, unix_seconds
from gunicorn_autotune.model.policy import Policy, for_host
from gunicorn_autotune.model.readings import Missing, Reading
from gunicorn_autotune.model.snapshot import Snapshot

NO_LISTENER = Missing("no listener's backlog could be read")


@dataclass(frozen=True, slots=True)
class Turn:
    """One tick: what was seen, decided then and decided now."""

    unix_seconds: float
    snapshot: Snapshot
    then: Decision
    now: Decision

    @property
    def differs(self) -> bool:
        """Whether another action, reason, count or victim came out; the figures behind them may differ without this."""
        return answer(self.then) != answer(self.now)

    @property
    def moves(self) -> bool:
        """Whether either decision asks for another count."""
        return self.then.action is not Action.HOLD or self.now.action is not Action.HOLD

    @property
    def backlog(self) -> Reading[int]:
        """Connections that wait, over all listeners that could be read."""
        known = [one.backlog for one in self.snapshot.listeners if not isinstance(one.backlog, Missing)]
        return sum(known) if known else NO_LISTENER


@dataclass(frozen=True)
class Replay:
    """A flight, decided again."""

    flight: Flight
    policy: Policy
    """Used now."""
    turns: tuple[Turn, ...]

    @cached_property
    def different(self) -> list[int]:
        """Which turns differ."""
        return [at for at, turn in enumerate(self.turns) if turn.differs]

    @cached_property
    def changed_settings(self) -> dict[str, dict[str, Any]]:
        """Settings of now that are not those of then."""
        then, now = redacted(self.flight.header.policy), redacted(self.policy)
        return {name: {"then": then[name], "now": value} for name, value in now.items() if value != then[name]}


def answer(decision: Decision) -> tuple[str, str, int, int | None]:
    """What makes two decisions the same."""
    return decision.action.value, decision.reason.value, decision.target, decision.victim


def replay(flight: Flight, policy: Policy) -> Replay:
    """Decide every tick of `flight` under `policy`, from the memory that its header holds."""
    header, ticks = flight.header, flight.ticks
    history = law.start(ticks[0].snapshot) if isinstance(header.history, Missing) else header.history
    turns = []
    for tick in ticks:
        seen = tick.snapshot
        decision, history = law.decide(for_host(policy, seen.host, sized=history.sized), history, seen)
        turns.append(Turn(unix_seconds(header, seen.at), seen, tick.decision, decision))
    return Replay(flight, policy, tuple(turns))
