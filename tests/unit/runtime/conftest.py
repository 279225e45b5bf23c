"""For the tests of the runtime."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gunicorn_autotune.scoreboard import board, layout


@pytest.fixture
def row() -> Iterator[memoryview]:
    """The row of one worker, on a board of its own."""
    made = board.create(layout.shape_for(1))
    row = made.row(0)
    yield row
    row.release()
    made.close()
