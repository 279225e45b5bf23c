"""An exporter process with figures from paper: `python -m tests.unit.exporter.fake_exporter '{"metrics": ...}'`.

`monotonic` of the document follows the clock, so that it is healthy. Ends when its parent does.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from typing import Any

from gunicorn_autotune.exporter.rows import BoardReading
from gunicorn_autotune.exporter.serve import Settings, parse_address, run
from tests.unit.exporter.boards import a_document, a_large_board, a_row, a_small_board


class PaperSource:
    """The small board (or a large one), whose first worker finishes one request per scrape."""

    def __init__(self, slots: int = 0) -> None:
        self.document = a_document()
        self.board = a_large_board(slots) if slots else a_small_board()
        self.scrapes = 0

    def status(self) -> dict[str, Any] | None:
        """The document, ticked just now."""
        return self.document | {"monotonic": time.monotonic(), "time": time.time()}

    def rows(self) -> BoardReading:
        """The board."""
        self.scrapes += 1
        first = a_row(0, requests=40 + self.scrapes)
        return replace(self.board, rows=(first, *self.board.rows[1:]))


def main(given: dict[str, Any]) -> None:
    """Serve `given["metrics"]`; all else in `given` is a field of Settings."""
    parent = os.getppid()
    address = parse_address(given.pop("metrics"))
    source = PaperSource(given.pop("slots", 0))
    run(source, Settings(address, **given), lambda line: print(line, flush=True), lambda: os.getppid() == parent)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
