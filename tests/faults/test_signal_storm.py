"""Somebody, or a script gone wild, sends TTIN and TTOU as fast as it can."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from tests.faults.steady import steady
from tests.server import Server, serving, wait_for

pytestmark = [pytest.mark.real, pytest.mark.once]
SIGNALS = 60
OPERATOR = re.compile(r"autotune: operator workers=(\d+)->(\d+) ")


def _storm(server: Server, *signals: int) -> None:
    """Send them in turn, SIGNALS in all, the next once one is being handled: faster than workers boot."""
    for index in range(SIGNALS):
        server.signal(signals[index % len(signals)])
        server.wait_for_log("Handling signal: tt", count=index + 1)


def _changes(server: Server) -> list[tuple[int, int]]:
    """The counts before and after each change that was taken for an operator's."""
    return [(int(before), int(after)) for before, after in OPERATOR.findall(server.log)]


@pytest.mark.once
def test_the_operators_last_word_holds_and_then_the_bounds_do(tmp_path: Path) -> None:
    """Mostly TTIN: beyond max_workers the count stays where the storm left it, for the hold; then max_workers wins."""
    config = "preload_app = True\ncontrol_socket_disable = True"
    with serving(tmp_path, config, max_workers=4, operator_hold_seconds=8.0) as server:
        server.wait_for_ready(2)
        with steady(server) as load:
            _storm(server, signal.SIGTTIN, signal.SIGTTIN, signal.SIGTTOU, signal.SIGTTIN, signal.SIGTTOU)
            active = server.wait_for_status(lambda status: status["mode"] == "active", "an active tuner")
            wait_for(lambda: 2 <= len(server.pids()) <= 4, "a count inside the bounds")
        last = _changes(server)[-1][1]
        after = server.log.rpartition("autotune: operator")[2]
        first = re.search(r"resize workers=\d+->\d+ action=\w+ reason=\w+", after)

    assert (load.failed, last > 4, first and first[0], active) == (
        [], True, f"resize workers={last}->4 action=shrink reason=above_max", True,
    )  # fmt: skip


def test_a_storm_of_ttou_leaves_one_worker_and_then_the_minimum_is_back(tmp_path: Path) -> None:
    """TTOU goes below min_workers but never below one; when the hold is over, min_workers is reached again."""
    with serving(tmp_path, "workers = 4", operator_hold_seconds=3.0) as server:
        server.wait_for_ready(4)
        with steady(server) as load:
            _storm(server, signal.SIGTTOU)
            server.wait_for_log(r"workers=1->2 action=grow reason=below_min")
            active = server.wait_for_status(lambda status: status["mode"] == "active", "an active tuner")
            wait_for(lambda: len(server.pids("idle", "busy")) >= 2, "the minimum")
        least = min(after for _, after in _changes(server))

    assert (load.failed, least, active) == ([], 1, True)
