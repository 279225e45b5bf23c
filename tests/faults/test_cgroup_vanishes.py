"""The cgroup's folder goes away while the server runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.faults.hosts import FIXTURE_HOST, LIMIT_BYTES
from tests.faults.steady import steady
from tests.server import serving

pytestmark = [pytest.mark.real, pytest.mark.once]


def test_its_limits_are_missing_and_no_worker_is_taken_away(tmp_path: Path) -> None:
    """No limit is invented, no change of the limit counted, nobody's request fails, ticks go on."""
    with serving(tmp_path, FIXTURE_HOST) as server, steady(server) as load:
        server.wait_for_status(lambda status: status["host"]["memory_limit_bytes"] == LIMIT_BYTES, "the limit")
        shutil.rmtree(tmp_path / "host/cg/app")
        server.wait_for_status(lambda status: "missing" in str(status["host"]["memory_limit_bytes"]), "a missing limit")
        ticks = server.status()["tally"]["ticks"]
        server.wait_for_status(lambda status: status["tally"]["ticks"] > ticks + 8, "more ticks")
        load.answered(20)
        shrunk = server.log.count("action=shrink")
        changes = server.metric('gunicorn_autotune_limit_changes_total{resource="memory"}')

    assert ([], 0, 0) == (load.failed, shrunk, changes)
