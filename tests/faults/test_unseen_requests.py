"""A worker class that never calls Gunicorn's request hooks (uvicorn's, for one): what is not seen is said to be so."""

from __future__ import annotations

from pathlib import Path

import pytest

from gunicorn_autotune.cli.status_page import page
from gunicorn_autotune.cli.style import Style
from tests.server import serving

pytestmark = pytest.mark.real
INVENTED = ("requests/s arrive", "idle", "none", "is right", "about this many")
UNSEEN = "this worker class does not report its requests"


def test_requests_that_are_not_seen_are_not_said_to_be_none(tmp_path: Path) -> None:
    """After requests that it served: no rate, no `idle`, no `none`, no count that is right; one line at the start."""
    with serving(tmp_path, "worker_class = 'homemade.HomeMadeWorker'") as server:
        server.wait_for_ready(2)
        for _ in range(3):
            server.get("/")
        document = server.wait_for_status(
            lambda status: status if "backlog" in status["decision"]["facts"] else None, "a look with figures"
        )
        shown, metrics, log = page(document, Style(), []), server.exporter("/metrics")[1], server.log

    facts, states = document["decision"]["facts"], {worker["state"] for worker in document["workers"]}
    assert ("arrivals_per_second" in facts, "busy_share" in facts, states) == (False, False, {"unknown"})
    assert (document["bottleneck"], document["demand"]) == ({"missing": UNSEEN}, {"missing": UNSEEN})
    assert "those that the workers handle cannot be seen" in shown
    assert [word for word in INVENTED if word in shown] == []
    assert 'gunicorn_workers{state="unknown"} 2' in metrics
    assert [line for line in metrics.splitlines() if line.startswith(("gunicorn_request", "gunicorn_threads"))] == []
    assert log.count("does not report its requests") == 1
