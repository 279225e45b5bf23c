from __future__ import annotations

import json

import pytest

from gunicorn_autotune.exporter.health import sick, status_json, unready
from gunicorn_autotune.model.snapshot import WorkerState
from tests.unit.exporter.boards import a_board, a_booting_row, a_document, a_row, a_small_board, an_empty_slot


def test_arbiter_that_ticked_within_the_tolerance_is_healthy():
    """Thirty seconds without a tick are allowed, to the second."""
    assert sick(a_document(monotonic=1000.0), 1030.0, 30.0) is None


def test_arbiter_that_stopped_ticking_is_sick_and_says_for_how_long():
    """The line names the age and the limit."""
    assert sick(a_document(monotonic=1000.0), 1031.0, 30.0) == "last tick 31 s ago, allowed 30 s"


def test_nothing_published_is_neither_healthy_nor_ready():
    """Before the first tick both probes say why they refuse."""
    assert sick(None, 0.0, 30.0) == unready(None, a_small_board()) == "the arbiter has not published anything yet"


def test_one_ready_worker_makes_the_server_ready():
    """Booting siblings do not matter."""
    assert unready(a_document(), a_board(a_row(0), a_booting_row(1))) is None


def test_saturated_server_is_ready():
    """Being busy is no reason to take a pod out of service."""
    assert unready(a_document(), a_board(a_row(0, state=WorkerState.BUSY, queued=900))) is None


@pytest.mark.parametrize("row", [a_booting_row(0), a_row(0, state=WorkerState.DRAINING), an_empty_slot(0)])
def test_server_without_a_worker_that_takes_requests_is_not_ready(row):
    """Booting, draining and vacated slots serve nobody new."""
    assert unready(a_document(), a_board(row)) == "no worker is ready"


def test_server_that_shuts_down_is_not_ready():
    """Its listeners are closed already; the workers only finish."""
    assert unready(a_document(frozen="shutdown"), a_board(a_row(0))) == "shutting down"


def test_reload_leaves_the_server_ready():
    """A HUP is not a shutdown."""
    assert unready(a_document(frozen="reload"), a_board(a_row(0))) is None


def test_status_joins_the_document_with_one_entry_per_running_worker():
    """The page and `status` need one document: what the arbiter knows, and each worker's figures."""
    whole = status_json(a_document(monotonic=1000.0), a_small_board(), 1001.0, 30.0)

    assert [worker["slot"] for worker in whole["workers"]] == [0, 1]
    assert (whole["target"], whole["healthy"], whole["ready"]) == (3, True, True)
    assert whole["workers"][0]["rss_bytes"] == 90 << 20


def test_status_says_why_a_value_is_missing():
    """Never null, 0 or -1."""
    worker = status_json(a_document(), a_board(a_row(0, rss_bytes=None, in_flight=None)), 0.0, 30.0)["workers"][0]

    assert worker["rss_bytes"] == {"missing": "not read yet"}
    assert worker["in_flight"] == {"missing": "this worker class does not report its requests"}


def test_status_is_strict_json_whatever_the_figures():
    """Browsers refuse Infinity and NaN."""
    document = a_document() | {"scale_out_pressure": float("inf"), "recent_decisions": [{"facts": float("nan")}]}
    whole = status_json(document, a_small_board(), 0.0, 30.0)

    assert whole["scale_out_pressure"] == {"missing": "not a finite number: inf"}
    json.dumps(whole, allow_nan=False)
