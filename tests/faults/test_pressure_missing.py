"""A kernel without pressure stall information (PSI)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.hosts import FIXTURE_HOST
from tests.faults.steady import steady
from tests.server import serving

pytestmark = [pytest.mark.real, pytest.mark.once]


def test_it_is_missing_and_the_server_still_grows(tmp_path: Path) -> None:
    """The status says why, no sample is invented, and a queue is answered with workers as ever."""
    config = FIXTURE_HOST + '(root / "cg/app/cpu.pressure").unlink(missing_ok=True)\n'
    with serving(tmp_path, config) as server, steady(server) as load:
        pressure = server.wait_for_status(lambda status: status["host"]["cpu_pressure"], "a host reading")
        sampled = "gunicorn_autotune_pressure_stalled_seconds_total{" in server.exporter("/metrics")[1]
        for _ in range(6):
            server.hold("/sleep?s=3")
        server.wait_for_log(r"autotune: resize workers=2->\d action=grow")
        load.answered(20)

    assert ([], True, False) == (load.failed, "missing" in pressure, sampled)


def test_the_cgroups_own_is_told_where_there_is_one(tmp_path: Path) -> None:
    """The same host with the file: the sample appears, so that its absence means something."""
    with serving(tmp_path, FIXTURE_HOST) as server:
        sample = server.metric('gunicorn_autotune_pressure_stalled_seconds_total{resource="cpu",kind="some"}')

    assert 5e-6 == sample
