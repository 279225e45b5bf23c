"""More listeners than anybody has: the status document is published all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server import serving

pytestmark = [pytest.mark.real, pytest.mark.once]


def test_hundreds_of_listeners_are_told_and_the_server_is_healthy(tmp_path: Path) -> None:
    """Nine hundred UNIX sockets of long names: 64 KiB were too few, and /-/healthy said 503 for ever."""
    names = "[bind, *('unix:' + str(n).rjust(60, 'x') for n in range(900))]"
    with serving(tmp_path, f"workers = 1\nbind = {names}\n", max_workers=2) as server:
        status = server.status()
        healthy = server.exporter("/-/healthy")[0]
        answer = server.get("/")[0]

    assert (len(status["listeners"]), "left_out" in status, healthy, answer) == (901, False, 200, 200)
