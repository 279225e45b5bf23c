"""Gunicorn's own control client, `gunicornc`, beside autotune."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.faults.steady import steady
from tests.server import GUNICORN, Server, serving

pytestmark = pytest.mark.real
CLIENT = Path(GUNICORN).with_name("gunicornc")


def _gunicornc(server: Server, words: str) -> str:
    """What `gunicornc -c words` answers."""
    call = [str(CLIENT), "-s", str(server.folder / "gunicorn.ctl"), "-c", words]
    return subprocess.run(call, capture_output=True, text=True, timeout=20, check=True).stdout


@pytest.mark.skipif(not CLIENT.exists(), reason="this Gunicorn has no gunicornc (25.1 brought it)")
def test_adding_and_removing_workers_is_respected_like_ttin_and_ttou(tmp_path: Path) -> None:
    """`worker add 2` and `worker remove 1`: carried out, told and held; an old one goes, no request fails."""
    with serving(tmp_path, max_workers=2) as server:
        old = set(server.wait_for_ready(2))
        server.wait_for_log("Control socket listening")
        with steady(server) as load:
            _gunicornc(server, "worker add 2")
            server.wait_for_log("autotune: operator workers=2->4 hold_seconds=300")
            server.wait_for_ready(4)
            _gunicornc(server, "worker remove 1")
            server.wait_for_log("autotune: operator workers=4->3 hold_seconds=300")
            left = old & set(server.wait_for_ready(3))
            held = server.wait_for_status(lambda status: status["decision"]["reason"] == "operator", "a hold")
        mode = server.status()["mode"]

    assert (load.failed, held, mode, len(left)) == ([], True, "paused", 1)
