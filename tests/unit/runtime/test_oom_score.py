"""Whom the kernel is to kill first."""

from __future__ import annotations

from pathlib import Path

import pytest

from gunicorn_autotune.runtime.oom_score import go_before


@pytest.mark.parametrize(
    ("inherited", "after"),
    [
        pytest.param(0, 300, id="nobody wrote one"),
        pytest.param(-900, -600, id="OOMScoreAdjust of the unit"),
        pytest.param(-997, -697, id="a guaranteed pod"),
        pytest.param(1000, 1000, id="a best effort pod"),
        pytest.param(-1000, -1000, id="exempt, with all it starts"),
    ],
)
def test_a_process_goes_before_the_one_that_started_it(inherited: int, after: int, tmp_path: Path) -> None:
    """By the kernel's range, and never out of what somebody exempted."""
    own = tmp_path / "oom_score_adj"
    own.write_text(f"{inherited}\n")
    go_before(300, own)

    assert after == int(own.read_text())
