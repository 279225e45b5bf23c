"""Flight records for tests: a short story that the law decides as a server would, written as a server would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gunicorn_autotune import __version__
from gunicorn_autotune.law import law
from gunicorn_autotune.model.flight import FORMAT, Header, header_line, tick_line
from gunicorn_autotune.testing import a_policy, a_snapshot

SERVER = {"gunicorn": "27.0.1", "python": "3.12.1", "worker_class": "sync", "unix_seconds": 1000.0,
          "monotonic_seconds": 0.0}  # fmt: skip
BACKLOGS = (0, 0, 0, 0, 12, 9, 4, 0, 0, 0, 0, 0)
"""A queue comes and goes."""


def a_flight(path: Path, *, backlogs: tuple[int, ...] = BACKLOGS, autotune: str = __version__, **settings: Any) -> Path:
    """Four ticks a second; the workers of each tick are those that were decided at the one before."""
    policy, history, target = a_policy(**{"max_workers": 8} | settings), None, 2
    lines = [header_line(Header(FORMAT, autotune, SERVER, policy))]
    for number, backlog in enumerate(backlogs):
        busy = float(number) if backlog else 0.1 * number
        snapshot = a_snapshot(
            number * 0.25, workers=target, in_flight=target if backlog else 0, backlog=backlog, busy_seconds=busy,
            started=10 * number, finished=10 * number, service_seconds=busy, service_seconds_squared=busy / 10,
        )  # fmt: skip
        decision, history = law.decide(policy, history or law.start(snapshot), snapshot)
        lines.append(tick_line(snapshot, decision))
        target = decision.target
    path.write_text("\n".join(lines) + "\n")
    return path
