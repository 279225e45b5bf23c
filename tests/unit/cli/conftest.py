"""For commands run in this process: what runs on this machine beside the test is none of its business."""

from __future__ import annotations

import pytest

from gunicorn_autotune.cli import checks_sensors, servers


@pytest.fixture(autouse=True)
def nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of ours, no server but those that a test starts and names by address."""
    for name in ("METRICS", "METRICS_CERT_FILE", "METRICS_BEARER_TOKEN_FILE"):
        monkeypatch.delenv(f"GUNICORN_AUTOTUNE_{name}", raising=False)
    for module in (servers, checks_sensors):
        monkeypatch.setattr(module, "running", lambda environment: [])
