"""docs/metrics.md, written from the table: `python -m gunicorn_autotune.exporter.metrics_page > docs/metrics.md`."""

from __future__ import annotations

from collections.abc import Iterable

from gunicorn_autotune.exporter.metrics import CONTROLLER, SERVER, TABLE, Kind, Label, Metric, series
from gunicorn_autotune.model.status import EXIT_MEANINGS, ExitReason

QUESTIONS: tuple[tuple[str, str], ...] = (
    ("Requests a second, by status class",
     "sum by (status) (rate(gunicorn_request_duration_seconds_count[5m]))"),
    ("Share of requests that fail",
     'sum(rate(gunicorn_request_duration_seconds_count{status="5xx"}[5m]))'
     " / sum(rate(gunicorn_request_duration_seconds_count[5m]))"),
    ("95th percentile of the response time",
     "histogram_quantile(0.95, sum by (le) (rate(gunicorn_request_duration_seconds_bucket[5m])))"),
    ("How busy the workers are (0 to 1)",
     "sum(rate(gunicorn_worker_busy_seconds_total[1m])) / sum(gunicorn_threads)"),
    ("Do requests wait for a worker?",
     "max_over_time(gunicorn_listen_backlog[2m]) / gunicorn_listen_backlog_limit"),
    ("Why this many workers?",
     "gunicorn_autotune_workers_target or gunicorn_autotune_workers_demand or gunicorn_autotune_workers_cap"),
    ("What was decided in the last ten minutes, and why",
     "sum by (action, reason) (increase(gunicorn_autotune_decisions_total[10m])) > 0"),
    ("Is this node too small?",
     "min_over_time(gunicorn_autotune_scale_out_pressure_ratio[10m]) > 1"),
    ("Why workers end",
     "sum by (reason) (increase(gunicorn_worker_exits_total[1h]))"),
    ("Is the controller alive?",
     "time() - gunicorn_autotune_last_tick_timestamp_seconds"),
)  # fmt: skip
"""What operators ask, in PromQL; a test has a real Prometheus answer each."""

INTRODUCTION = """\
# Metrics

<!-- Written by `python -m gunicorn_autotune.exporter.metrics_page`. Change the table, exporter/metrics.py. -->

The exporter answers on `127.0.0.1:9877` unless told otherwise or taken by another server (see the setting `metrics`):

| path | answer |
|---|---|
| `/metrics` | the metrics below, as Prometheus text or OpenMetrics 1.0, gzip when asked |
| `/status.json` | what the controller sees and decides, one entry per worker, and Gunicorn's settings in force |
| `/-/healthy` | 200 while the arbiter ticks, else 503 and why: for a liveness probe |
| `/-/ready` | 200 while a worker can take requests, else 503 and why: for a readiness probe |

`gunicorn_` metrics are facts about the server and stay true with the tuner off; `gunicorn_autotune_` is the controller.

- **`worker` is the number of a slot, not a pid.** A recycled worker takes over a free slot and its counters go on
  where the last one stopped, so `rate()` sees no reset and the number of series does not grow.
- **A sample that is missing is missing.** No metric says 0 or -1 for "unknown" or "unlimited". Counters and states
  stand at 0 from the first scrape, so `increase()` sees the first event.
- **{fixed} series, {per_slot} more per slot in use, 2 per listener.** No path, no method, no pid in any label.
"""


def _code(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _label(label: Label) -> str:
    return f"`{label.name}`: {_code(label.values) or label.bound}"


def _labels(metric: Metric) -> str:
    if metric.combinations:
        names = " / ".join(label.name for label in metric.labels)
        return f"{names}: {_code('/'.join(pair) for pair in metric.combinations)}"
    return "; ".join(map(_label, metric.labels))


def _row(metric: Metric) -> str:
    kind = metric.kind.value
    return f"| `{metric.name}` | {kind} | {_labels(metric)} | {metric.help} | {metric.absent} |"


def _table(title: str, metrics: Iterable[Metric]) -> str:
    head = "| name | type | labels | meaning | no sample when |\n|---|---|---|---|---|"
    return "\n".join([f"## {title}\n", head, *map(_row, metrics), ""])


def _label_names(metric: Metric) -> tuple[str, ...]:
    return tuple(label.name for label in metric.labels)


def _bounds() -> str:
    lines = [
        f"- `{metric.name}`: {', '.join(f'{bound:g}' for bound in metric.bounds)} seconds"
        for metric in TABLE
        if metric.kind is Kind.HISTOGRAM
    ]
    return "\n".join(["## Buckets\n", *lines, ""])


def _exits() -> str:
    lines = [f"- `{reason.value}`: {EXIT_MEANINGS[reason]}" for reason in ExitReason]
    return "\n".join(["## Why a worker ended\n", *lines, ""])


def _questions() -> str:
    parts = [f"{question}:\n\n```promql\n{query}\n```\n" for question, query in QUESTIONS]
    return "\n".join(["## Questions and their queries\n", *parts]).rstrip() + "\n"


def metrics_page() -> str:
    """The whole page."""
    per_slot = sum(series(metric) for metric in TABLE if "worker" in _label_names(metric))
    listeners = sum(series(metric) for metric in TABLE if "listener" in _label_names(metric))
    fixed = sum(map(series, TABLE)) - per_slot - listeners
    return "\n".join(
        [
            INTRODUCTION.format(fixed=fixed, per_slot=per_slot),
            _table("The server", SERVER),
            _table("The controller", CONTROLLER),
            _bounds(),
            _exits(),
            _questions(),
        ]
    )


if __name__ == "__main__":
    print(metrics_page(), end="")
