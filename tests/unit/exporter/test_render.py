from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from gunicorn_autotune.exporter.metrics import TABLE, Kind, Metric, series
from gunicorn_autotune.exporter.render import Format, accepts_gzip, exposition, gzipped, negotiate
from gunicorn_autotune.exporter.rows import BoardReading, Highest, Row, ever_used
from gunicorn_autotune.model.readings import Missing, Unlimited
from gunicorn_autotune.model.snapshot import WorkerState
from tests.unit.exporter.boards import (
    a_board,
    a_document,
    a_host,
    a_large_board,
    a_row,
    a_small_board,
    an_empty_slot,
)  # fmt: skip

GOLDEN = Path(__file__).with_name("golden_metrics.txt")
PARSERS = {Format.TEXT: parse_text, Format.OPENMETRICS: parse_openmetrics}
Found = dict[str, dict[tuple[tuple[str, str], ...], float]]


def text_of(document: dict[str, Any] | None, board: BoardReading, form: Format = Format.TEXT) -> str:
    """A whole scrape."""
    return exposition(document, board, form).decode()


def parsed(text: str, form: Format = Format.TEXT) -> Found:
    """Sample name -> labels -> value, read by prometheus_client's own parser."""
    found: Found = {}
    for family in PARSERS[form](text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def scraped(board: BoardReading, document: dict[str, Any] | None = None) -> Found:
    """The samples of a text scrape."""
    return parsed(text_of(document or a_document(), board))


def test_scrape_of_a_small_board_is_the_golden_text():
    """Every byte of a scrape is public; AUTOTUNE_RENEW_GOLDEN=1 rewrites the file for the reviewer's diff."""
    text = text_of(a_document(), a_small_board())
    if os.environ.get("AUTOTUNE_RENEW_GOLDEN"):
        GOLDEN.write_text(text)

    assert GOLDEN.read_text() == text


def sample_names(metric: Metric) -> set[str]:
    """What its samples are called."""
    if metric.bounds:
        return {f"{metric.name}_{part}" for part in ("bucket", "count", "sum")}
    return {metric.name}


@pytest.mark.parametrize("form", Format)
def test_every_declared_metric_appears_and_no_other(form: Format):
    """The table and the scrape name the same metrics, in both formats."""
    declared = set().union(*(sample_names(metric) for metric in TABLE))

    assert declared == set(parsed(text_of(a_document(), a_small_board(), form), form))


@pytest.mark.parametrize("metric", TABLE, ids=lambda metric: metric.name)
def test_labels_and_closed_values_are_as_declared(metric: Metric):
    """A metric carries exactly its declared labels, and a closed label only its declared values."""
    closed = {label.name: set(label.values) for label in metric.labels if label.values}
    names = {label.name for label in metric.labels}
    for name in sample_names(metric):
        for labels in scraped(a_small_board())[name]:
            carried = {key: value for key, value in labels if key != "le"}
            assert names == set(carried)
            assert all(carried[key] in closed[key] for key in closed)


CLOSED_COUNTERS = [
    metric
    for metric in TABLE
    if metric.kind is Kind.COUNTER and not metric.absent and all(label.values for label in metric.labels)
]


@pytest.mark.parametrize("metric", CLOSED_COUNTERS, ids=lambda metric: metric.name)
def test_counters_with_closed_labels_show_every_value_from_the_start(metric: Metric):
    """increase() sees a first event only if the series stood at 0 before."""
    assert series(metric) == len(scraped(BoardReading())[metric.name])


@pytest.mark.parametrize("form", Format)
def test_both_formats_say_the_same(form: Format):
    """OpenMetrics and the text format differ in their frame, not in a sample."""
    expected = parsed(text_of(a_document(), a_small_board()))

    assert expected == parsed(text_of(a_document(), a_small_board(), form), form)


def test_missing_and_unlimited_values_have_no_sample():
    """What is not known is absent: never 0, never -1."""
    host = a_host(memory_limit_bytes=Unlimited(), memory_used_bytes=Missing("gone"), cpu_limit_cores=Missing("gone"),
                  cpu_throttled_seconds=Missing("gone"), io_pressure=Missing("no PSI"))  # fmt: skip
    found = scraped(a_small_board(), a_document(host=host))

    for name in ("limit_memory_bytes", "memory_used_bytes", "limit_cpu_cores", "cpu_throttled_seconds_total"):
        assert f"gunicorn_autotune_{name}" not in found
    assert not any(("resource", "io") in labels for labels in found["gunicorn_autotune_pressure_stalled_seconds_total"])


def test_worker_that_does_not_report_requests_has_no_request_samples():
    """A worker class we cannot see into is shown by pid and memory, not by zeros."""
    row = a_row(
        0, requests=None, busy_seconds=None, in_flight=None, queued=None, held=None, oldest_request_seconds=None
    )
    found = scraped(a_board(row))

    for name in (
        "requests_total",
        "busy_seconds_total",
        "queued_requests",
        "held_connections",
        "oldest_request_seconds",
    ):
        assert f"gunicorn_worker_{name}" not in found
    assert "gunicorn_requests_in_progress" not in found
    assert found["gunicorn_worker_pid"] == {(("worker", "0"),): 5000.0}


def test_vacated_slot_keeps_its_counters_and_drops_its_gauges():
    """A recycle never makes a counter go down, and a dead process has no pid or memory."""
    found = scraped(a_board(an_empty_slot(5)))

    assert found["gunicorn_worker_requests_total"] == {(("worker", "5"),): 7.0}
    assert "gunicorn_worker_pid" not in found
    assert "gunicorn_worker_resident_memory_bytes" not in found


def test_slot_never_used_is_not_exported():
    """A board for 512 workers of which 4 run exports 4 slots."""
    found = scraped(a_board(a_row(0), Row(1), Row(2)))

    assert list(found["gunicorn_worker_requests_total"]) == [(("worker", "0"),)]


@pytest.mark.parametrize("used", [{"pid": 7}, {"requests": 1}, {"busy_seconds": 0.5}, {"cpu_seconds": 0.5}])
def test_a_slot_that_shows_any_use_is_exported(used):
    """A booting worker has a pid and nothing else; one that served nobody has used CPU and is gone."""
    assert (True, False) == (ever_used(Row(1, **used)), ever_used(Row(1)))


def test_threads_count_only_workers_that_can_take_requests():
    """Concurrency available now: a booting or draining worker adds none, one not seen to be busy does."""
    rows = [a_row(slot, state=state) for slot, state in enumerate(WorkerState)]

    assert scraped(a_board(*rows))["gunicorn_threads"] == {(): 2.0 * 3}


def test_board_alone_is_scraped_before_the_first_document():
    """Until the arbiter's first tick there is no controller to tell about, and the scrape still works."""
    found = parsed(text_of(None, a_small_board()))

    assert "gunicorn_worker_pid" in found
    assert not any(name.startswith("gunicorn_autotune_") for name in found)


def test_label_values_are_escaped():
    """A quote in a listener's address does not break the scrape."""
    listeners = scraped(a_small_board())["gunicorn_listen_backlog_limit"]

    assert listeners[(("listener", 'unix:/run/"odd".sock'),)] == 128.0


def test_histogram_count_is_the_sum_of_its_buckets():
    """_count and the +Inf bucket come from the same numbers and cannot disagree."""
    found = scraped(a_small_board())
    buckets = found["gunicorn_request_duration_seconds_bucket"]

    assert buckets[(("le", "+Inf"), ("status", "2xx"))] == 10.0
    assert found["gunicorn_request_duration_seconds_count"][(("status", "2xx"),)] == 10.0


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=20))
def test_busy_seconds_never_go_down(figures: list[float]):
    """A row read between two stores shows less than before; the scrape does not."""
    highest = Highest()
    told = [highest.settle(a_board(a_row(0, busy_seconds=figure))).rows[0].busy_seconds for figure in figures]

    assert sorted(told) == told
    assert max(figures) == told[-1]


def test_half_a_document_is_scraped_for_what_it_has():
    """A document of another version costs samples, not the scrape."""
    found = parsed(text_of({"target": 3, "tally": {"spawns": 5}}, a_small_board()))

    assert found["gunicorn_autotune_workers_target"] == {(): 3.0}
    assert "gunicorn_autotune_workers_demand" not in found


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", Format.TEXT),
        ("*/*", Format.TEXT),
        ("text/html,application/xhtml+xml", Format.TEXT),
        ("application/openmetrics-text", Format.OPENMETRICS),
        ("application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5", Format.TEXT),
        ("application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         Format.OPENMETRICS),
        ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;q=0.7,"
         "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6", Format.OPENMETRICS),
        ("text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0", Format.TEXT),
    ],
)  # fmt: skip
def test_format_is_the_first_one_we_speak(accept: str, expected: Format):
    """Content negotiation answers as prometheus_client does: the order counts, a version we lack does not."""
    assert expected is negotiate(accept)


@pytest.mark.parametrize(
    ("header", "expected"),
    [("gzip", True), ("deflate, GZIP;q=0.5", True), ("", False), ("br", False), ("gzip;q=0", False),
     ("gzip; q=0.000", False), ("gzip;q=0.01", True)],
)  # fmt: skip
def test_gzip_only_where_it_is_taken(header: str, expected: bool):
    """A client that refuses gzip gets plain bytes."""
    assert expected is accepts_gzip(header)


def test_gzip_shrinks_a_large_board_at_least_fivefold():
    """128 slots travel in under 20 KB."""
    body = exposition(a_document(), a_large_board(128), Format.TEXT)

    assert len(body) > 5 * len(gzipped(body))


def test_series_per_slot_are_eleven():
    """The growth the docs page promises."""
    few, more = (text_of(a_document(), a_large_board(slots)).count("\n") for slots in (4, 5))

    assert more - few == 11


def test_not_a_number_has_no_sample():
    """A figure that is infinite or not a number is as good as missing."""
    document = a_document() | {"demand": float("nan"), "scale_out_pressure": float("inf")}
    found = scraped(a_small_board(), document)

    assert "gunicorn_autotune_workers_demand" not in found
    assert "gunicorn_autotune_scale_out_pressure_ratio" not in found


def test_a_class_that_reports_no_request_exports_no_zero_of_them():
    """No histogram, no threads, no bottleneck: a count of 0 requests would be a measurement."""
    unseen = a_row(0, state=WorkerState.UNKNOWN, requests=None, busy_seconds=None, in_flight=None, queued=None)
    why = {"missing": "this worker class does not report its requests"}
    document = a_document() | {"gunicorn": {"kind": "unknown"}, "bottleneck": why}
    found = scraped(BoardReading((unseen,)), document)
    shown = {name for name in found if name.startswith(("gunicorn_request", "gunicorn_threads", "gunicorn_autotune_b"))}

    assert (shown, found["gunicorn_workers"][(("state", "unknown"),)]) == (set(), 1)
