"""Workers are recycled for every cause there is, the replacement first, and nobody notices."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.steady import steady
from tests.server import serving, wait_for

pytestmark = pytest.mark.real
AT_ONCE = {"recycle_gap_seconds": 0, "recycle_lifetime_seconds": 0, "recycles_per_hour": 36000}


def test_max_requests_is_kept_by_us_with_the_replacement_first(tmp_path: Path) -> None:
    """Workers leave at Gunicorn's max_requests; each replacement is ready before, and no request fails."""
    config = "workers = 2\nmax_requests = 40\nmax_requests_jitter = 20"
    with serving(tmp_path, config, max_workers=6, **AT_ONCE) as server:
        server.wait_for_ready(2)
        with steady(server, requests_per_second=60) as load:
            recycled = wait_for(
                lambda: server.metric('gunicorn_worker_exits_total{reason="recycle_requests"}') >= 4, "four recycles"
            )
        grown = server.wait_for_log(r"resize workers=\d+->\d+ action=grow reason=recycle cause=requests")
        native = server.log.count("Autorestarting")

    assert (load.failed, recycled, bool(grown), native) == ([], True, True, 0)
