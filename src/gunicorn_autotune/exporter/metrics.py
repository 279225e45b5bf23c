"""THE metric table: every metric declared once. Rendering, docs/metrics.md and the tests all come from it.

`gunicorn_` are facts about the server, true with the tuner off; `gunicorn_autotune_` is the controller. Labels are few
and closed: the slot number and never the pid, no path, no method. Names are public: renaming one breaks dashboards.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gunicorn_autotune.exporter.rows import STATUS_CLASSES
from gunicorn_autotune.model.decisions import PAIRS, Action, Bottleneck, CapName, Reason
from gunicorn_autotune.model.snapshot import DURATION_BOUNDS_SECONDS, QUEUE_TIME_BOUNDS_SECONDS, WorkerState
from gunicorn_autotune.model.status import Door, ExitReason, Mode, Stage


class Kind(str, Enum):
    """The type Prometheus is told."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Label:
    """A label: its closed list of values, or in words what bounds them."""

    name: str
    values: tuple[str, ...] = ()
    bound: str = ""


@dataclass(frozen=True, slots=True)
class Metric:
    """One declaration. `unit` is the base unit its name ends with; `absent` says when there is no sample."""

    name: str
    kind: Kind
    help: str
    unit: str = ""
    labels: tuple[Label, ...] = ()
    absent: str = ""
    bounds: tuple[float, ...] = ()
    combinations: tuple[tuple[str, ...], ...] = ()
    """Where several labels go together, the combinations that exist."""

    @property
    def family(self) -> str:
        """The name OpenMetrics gives the family: a counter's without `_total`."""
        return self.name.removesuffix("_total") if self.kind is Kind.COUNTER else self.name


def _values(words: type[Enum]) -> tuple[str, ...]:
    return tuple(word.value for word in words)


RESOURCES = ("cpu", "memory", "io")
LIMITED_RESOURCES = ("cpu", "memory")
STALLS = ("some", "full")

WORKER = Label("worker", bound="slot number, from 0: as many as there were workers at once")
LISTENER = Label("listener", bound="one per bind address")
UNREPORTED = "the worker class does not report its requests"
EMPTY = "slot empty"
UNREAD = "slot empty, or not read yet"

SERVER = (
    Metric("gunicorn_build_info", Kind.GAUGE, "Versions in use; always 1.",
           labels=(Label("gunicorn", bound="one version"), Label("autotune", bound="one version"),
                   Label("python", bound="one version"), Label("worker_class", bound="one class"))),
    Metric("gunicorn_workers", Kind.GAUGE,
           "Worker processes by state; `unknown` is ready, and whether it is busy cannot be seen.",
           labels=(Label("state", _values(WorkerState)),)),
    Metric("gunicorn_threads", Kind.GAUGE,
           "Requests that ready workers can handle at once: the concurrency available now.", absent=UNREPORTED),
    Metric("gunicorn_requests_in_progress", Kind.GAUGE,
           "Requests being handled now (sampled; for rates use gunicorn_worker_busy_seconds_total).",
           absent=UNREPORTED),
    Metric("gunicorn_request_duration_seconds", Kind.HISTOGRAM,
           "Time from request read to response written. Its count also gives requests and errors.",
           unit="seconds", labels=(Label("status", STATUS_CLASSES),), bounds=DURATION_BOUNDS_SECONDS,
           absent=UNREPORTED),
    Metric("gunicorn_request_queue_seconds", Kind.HISTOGRAM,
           "Time a request waited for a worker: since the proxy's stamp where it carries X-Request-Start; without it a "
           "sample of those over TCP, as the kernel shows it (not asgi). A UNIX socket without the header gives none.",
           unit="seconds", bounds=QUEUE_TIME_BOUNDS_SECONDS, absent=UNREPORTED),
    Metric("gunicorn_request_queue_dropped_total", Kind.COUNTER,
           "X-Request-Start stamps left out because they could not be believed (in the future, or over 60 s old).",
           absent=UNREPORTED),
    Metric("gunicorn_worker_requests_total", Kind.COUNTER, "Requests finished in the slot.",
           labels=(WORKER,), absent=UNREPORTED),
    Metric("gunicorn_worker_busy_seconds_total", Kind.COUNTER,
           "Thread-seconds spent handling requests, running ones included; its rate over threads is utilisation.",
           unit="seconds", labels=(WORKER,), absent=UNREPORTED),
    Metric("gunicorn_worker_cpu_seconds_total", Kind.COUNTER, "CPU time of all processes that held the slot.",
           unit="seconds", labels=(WORKER,), absent="not read yet"),
    Metric("gunicorn_worker_queued_requests", Kind.GAUGE,
           "Connections the worker accepted that wait for one of its threads.", labels=(WORKER,),
           absent=f"{EMPTY}, or {UNREPORTED}"),
    Metric("gunicorn_worker_held_connections", Kind.GAUGE,
           "Long-lived connections: WebSockets, and requests that have run for 5 s. Such a worker leaves last.",
           labels=(WORKER,), absent=f"{EMPTY}, or {UNREPORTED}"),
    Metric("gunicorn_worker_oldest_request_seconds", Kind.GAUGE,
           "Age of the longest running request; 0 when none runs.", unit="seconds", labels=(WORKER,),
           absent=f"{EMPTY}, or {UNREPORTED}"),
    Metric("gunicorn_worker_resident_memory_bytes", Kind.GAUGE,
           "Resident memory. Pages shared with other workers count in each: do not add it up.",
           unit="bytes", labels=(WORKER,), absent=UNREAD),
    Metric("gunicorn_worker_unique_memory_bytes", Kind.GAUGE,
           "Private memory, what a recycle would give back. Sampled less often.",
           unit="bytes", labels=(WORKER,), absent=UNREAD),
    Metric("gunicorn_worker_proportional_memory_bytes", Kind.GAUGE,
           "Memory with each shared page divided by its sharers: this one adds up. Sampled less often.",
           unit="bytes", labels=(WORKER,), absent=UNREAD),
    Metric("gunicorn_worker_pid", Kind.GAUGE, "Pid in the slot, as the value.", labels=(WORKER,), absent=EMPTY),
    Metric("gunicorn_worker_start_time_seconds", Kind.GAUGE, "Start of the process in the slot, Unix time.",
           unit="seconds", labels=(WORKER,), absent=EMPTY),
    Metric("gunicorn_worker_spawns_total", Kind.COUNTER, "Workers started."),
    Metric("gunicorn_worker_exits_total", Kind.COUNTER, "Worker exits by cause; see below.",
           labels=(Label("reason", _values(ExitReason)),)),
    Metric("gunicorn_worker_drain_kills_total", Kind.COUNTER,
           "Workers killed that were to leave and, in no request, stayed for graceful_timeout + timeout + 5 s."),
    Metric("gunicorn_listen_backlog", Kind.GAUGE, "Connections waiting in the kernel for a worker to accept them.",
           labels=(LISTENER,), absent="cannot be read on this system"),
    Metric("gunicorn_listen_backlog_limit", Kind.GAUGE, "Size of that queue.",
           labels=(LISTENER,), absent="cannot be read on this system"),
)  # fmt: skip

CONTROLLER = (
    Metric("gunicorn_autotune_mode", Kind.GAUGE, "1 for the mode in force, 0 for the others.",
           labels=(Label("mode", _values(Mode)),)),
    Metric("gunicorn_autotune_workers_target", Kind.GAUGE, "Worker count asked of the arbiter."),
    Metric("gunicorn_autotune_workers_demand", Kind.GAUGE,
           "Workers the load needs at target utilisation, before any limit.",
           absent=f"no load measured yet, or {UNREPORTED}"),
    Metric("gunicorn_autotune_workers_cap", Kind.GAUGE, "Largest count each limit allows; the smallest is the cap.",
           labels=(Label("limit", _values(CapName)),), absent="that limit allows any number, or cannot be read"),
    Metric("gunicorn_autotune_workers_floor", Kind.GAUGE, "Smallest count allowed."),
    Metric("gunicorn_autotune_scale_out_pressure_ratio", Kind.GAUGE,
           "demand / cap: above 1 this node is too small.", unit="ratio", absent="no load measured yet, or no cap"),
    Metric("gunicorn_autotune_bottleneck", Kind.GAUGE, "1 for what limits throughput now, 0 for the others.",
           labels=(Label("resource", _values(Bottleneck)),),
           absent="nothing presses, and the worker class does not report its requests"),
    Metric("gunicorn_autotune_decisions_total", Kind.COUNTER, "Decisions by action and reason.",
           labels=(Label("action", _values(Action)), Label("reason", _values(Reason))),
           combinations=tuple((action.value, reason.value) for action, reason in PAIRS)),
    Metric("gunicorn_autotune_limit_cpu_cores", Kind.GAUGE, "CPU limit in force.", unit="cores", absent="not readable"),
    Metric("gunicorn_autotune_limit_memory_bytes", Kind.GAUGE, "Memory limit with the least room.", unit="bytes",
           absent="no limit, or not readable"),
    Metric("gunicorn_autotune_memory_used_bytes", Kind.GAUGE, "Working set at the level that supplied the limit.",
           unit="bytes", absent="not readable"),
    Metric("gunicorn_autotune_limit_changes_total", Kind.COUNTER, "Limit changes seen at runtime.",
           labels=(Label("resource", LIMITED_RESOURCES),)),
    Metric("gunicorn_autotune_cpu_throttled_seconds_total", Kind.COUNTER,
           "Time the cgroup was throttled by its CPU quota.", unit="seconds", absent="no CPU controller"),
    Metric("gunicorn_autotune_pressure_stalled_seconds_total", Kind.COUNTER,
           "Pressure stall time (PSI) of our cgroup, or of the machine where the cgroup has none.", unit="seconds",
           labels=(Label("resource", RESOURCES), Label("kind", STALLS)), absent="the kernel does not report it"),
    Metric("gunicorn_autotune_unmeasured_workers_total", Kind.COUNTER,
           "Workers that served without a slot because the scoreboard was full."),
    Metric("gunicorn_autotune_exporter_spawns_total", Kind.COUNTER, "Starts of this exporter process."),
    Metric("gunicorn_autotune_ticks_total", Kind.COUNTER, "Control iterations."),
    Metric("gunicorn_autotune_tick_seconds_total", Kind.COUNTER, "Time spent in control iterations.", unit="seconds"),
    Metric("gunicorn_autotune_last_tick_timestamp_seconds", Kind.GAUGE, "Last finished iteration, Unix time.",
           unit="seconds"),
    Metric("gunicorn_autotune_errors_total", Kind.COUNTER, "Failed iterations by stage.",
           labels=(Label("stage", _values(Stage)),)),
    Metric("gunicorn_autotune_door_errors_total", Kind.COUNTER,
           "Errors of ours held back where Gunicorn calls us, by its name for the place; Gunicorn went on without us.",
           labels=(Label("door", _values(Door)),)),
)  # fmt: skip

TABLE = SERVER + CONTROLLER


def series(metric: Metric) -> int:
    """Series of one metric, per slot where it is labelled by worker, per listener where by that."""
    combinations = len(metric.combinations) or 1
    if not metric.combinations:
        for label in metric.labels:
            combinations *= len(label.values) or 1
    per_combination = len(metric.bounds) + 3 if metric.kind is Kind.HISTOGRAM else 1
    return combinations * per_combination
