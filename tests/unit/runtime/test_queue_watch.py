"""Who may tell how long a request waited."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gunicorn_autotune.runtime import queue_watch
from gunicorn_autotune.scoreboard import board, layout


@pytest.mark.parametrize(
    ("allowed", "peer", "expected"),
    [
        (["127.0.0.1"], ("127.0.0.1", 4711), True),
        (["127.0.0.1"], ("10.0.0.9", 4711), False),
        ("127.0.0.1, ::1", ("::1", 4711, 0, 0), True),
        (["10.0.0.0/8"], ("10.2.3.4", 1), True),
        (["*"], ("203.0.113.7", 1), True),
        ([], ("127.0.0.1", 1), False),
        (["127.0.0.1"], "", True),
        (["127.0.0.1"], None, True),
        (["127.0.0.1"], ("not an address", 1), False),
    ],
)
def test_a_stamp_is_believed_by_gunicorns_own_list(allowed: Any, peer: Any, expected: bool) -> None:
    """forwarded_allow_ips decides, networks included; a UNIX socket is trusted as Gunicorn does."""
    assert queue_watch.trusted_peers(allowed)(peer) is expected


def _request(headers: list[tuple[str, str]], peer: Any) -> SimpleNamespace:
    return SimpleNamespace(headers=headers, peer_addr=peer, unreader=SimpleNamespace())


def _watch() -> tuple[Any, memoryview]:
    row = board.create(layout.Shape(rows=1, status_bytes=64)).row(0)
    return queue_watch.wsgi(SimpleNamespace(cfg=SimpleNamespace(forwarded_allow_ips=["127.0.0.1"])), row), row


def _counts(row: memoryview) -> tuple[int, int]:
    return sum(row.tolist()[layout.QUEUE_BUCKETS : layout.QUEUE_END]), row[layout.QUEUE_DROPPED]


def test_a_trusted_stamp_is_recorded() -> None:
    """One second ago, from the proxy: one queue time of about a second."""
    import time

    watch, row = _watch()
    watch(_request([("HOST", "x"), ("X-REQUEST-START", f"t={time.time() - 1:.3f}")], ("127.0.0.1", 1)))

    assert (_counts(row), 0.9e9 < row[layout.QUEUE_NS] < 5e9) == ((1, 0), True)


def test_a_stamp_from_anybody_else_is_not_even_counted() -> None:
    """A client that talks to the worker directly cannot make it look late."""
    watch, row = _watch()
    watch(_request([("X-REQUEST-START", "t=1000000000.000")], ("203.0.113.7", 1)))

    assert _counts(row) == (0, 0)


def test_a_trusted_stamp_that_cannot_be_true_is_dropped_and_counted() -> None:
    """A stamp of the year 2001 is no queue time."""
    watch, row = _watch()
    watch(_request([("X-REQUEST-START", "t=1000000000.000")], ("127.0.0.1", 1)))

    assert _counts(row) == (0, 1)
