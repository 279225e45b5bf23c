from __future__ import annotations

import re
from pathlib import Path

import pytest

from gunicorn_autotune.exporter.metrics import TABLE, Kind, Metric
from gunicorn_autotune.exporter.metrics_page import metrics_page

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def ids(metric: Metric) -> str:
    """Tests are named by the metric."""
    return metric.name


def test_page_is_fresh():
    """docs/metrics.md is what the table says now: `python -m gunicorn_autotune.exporter.metrics_page` renews it."""
    assert metrics_page() == PAGE.read_text()


def test_names_are_unique():
    """Two declarations of one name would fail every scrape."""
    names = [metric.family for metric in TABLE]

    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("metric", TABLE, ids=ids)
def test_name_follows_the_naming_rules(metric: Metric):
    """One-word prefix, base unit at the end, _total on counters and on nothing else."""
    assert re.fullmatch(r"gunicorn_[a-z0-9_]+", metric.name)
    assert (metric.kind is Kind.COUNTER) == metric.name.endswith("_total")
    assert metric.family.endswith(metric.unit)


@pytest.mark.parametrize("metric", TABLE, ids=ids)
def test_labels_are_bounded_and_never_a_pid(metric: Metric):
    """Every label has a closed list of values or says what bounds it."""
    assert all(label.values or label.bound for label in metric.labels)
    assert not {"pid", "path", "method"} & {label.name for label in metric.labels}


@pytest.mark.parametrize("metric", [metric for metric in TABLE if metric.kind is Kind.HISTOGRAM], ids=ids)
def test_histograms_carry_no_worker_label(metric: Metric):
    """Nineteen series per slot and status would be a thousand for a small site."""
    assert "worker" not in [label.name for label in metric.labels]
