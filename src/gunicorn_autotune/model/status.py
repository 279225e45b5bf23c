"""The status document: what the arbiter publishes and everyone else reads (exporter, `status`, later the live page).

The arbiter writes what only it knows; figures per worker stand in the scoreboard rows and are joined by the reader.
A missing value is `{"missing": "<why>"}`, no limit is `"unlimited"`: never 0, -1 or null.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from gunicorn_autotune.model.decisions import PAIRS, Decision, cap
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.readings import Missing, Unlimited
from gunicorn_autotune.model.snapshot import Snapshot

DOCUMENT_VERSION = 1
RECENT_DECISIONS = 20
FULLEST_LISTENERS = 100
"""Told when there is no room for all."""


class Mode(str, Enum):
    """What the controller is allowed to do now (`gunicorn_autotune_mode{mode}`)."""

    ACTIVE = "active"
    OBSERVE = "observe"
    PAUSED = "paused"
    """Active, but an operator's manual change is being respected or the arbiter is reloading."""
    FALLBACK = "fallback"
    """Ours failed repeatedly: the count is left alone."""


class ExitReason(str, Enum):
    """Why a worker process ended (`gunicorn_worker_exits_total{reason}`)."""

    SCALE_DOWN = "scale_down"
    RECYCLE_MEMORY = "recycle_memory"
    RECYCLE_SIZE = "recycle_size"
    RECYCLE_LEAK = "recycle_leak"
    RECYCLE_REQUESTS = "recycle_requests"
    RECYCLE_AGE = "recycle_age"
    RECYCLE_OPERATOR = "recycle_operator"
    RELOAD = "reload"
    TIMEOUT = "timeout"
    OOM_KILL = "oom_kill"
    TERMINATED = "terminated"
    SIGNAL = "signal"
    ERROR = "error"
    EXIT = "exit"
    SHUTDOWN = "shutdown"
    UNKNOWN = "unknown"


EXIT_MEANINGS = {
    ExitReason.SCALE_DOWN: "fewer workers are needed",
    ExitReason.RECYCLE_MEMORY: "replaced before memory runs out",
    ExitReason.RECYCLE_SIZE: "replaced, larger than recycle_uss_bytes or recycle_rss_bytes",
    ExitReason.RECYCLE_LEAK: "replaced, it grew with every request (recycle_leak_ratio)",
    ExitReason.RECYCLE_REQUESTS: "replaced, or left by itself, at max_requests",
    ExitReason.RECYCLE_AGE: "replaced, older than recycle_age_seconds",
    ExitReason.RECYCLE_OPERATOR: "replaced for `gunicorn-autotune recycle`",
    ExitReason.RELOAD: "HUP, or code that changed under `reload = True`",
    ExitReason.TIMEOUT: "silent for longer than Gunicorn's timeout, aborted",
    ExitReason.OOM_KILL: "the kernel killed it for memory",
    ExitReason.TERMINATED: "told to leave from outside: SIGTERM, SIGINT or SIGQUIT by `kill`, `gunicornc worker kill`",
    ExitReason.SIGNAL: "another signal from outside, or a crash: SIGKILL, SIGSEGV",
    ExitReason.ERROR: "an exit code that is not 0: the app did not load or called os._exit, or its worker raised",
    ExitReason.EXIT: "exit code 0 though nobody asked: the app called os._exit, or sys.exit outside of a request",
    ExitReason.SHUTDOWN: "the server was stopped",
    ExitReason.UNKNOWN: "could not be told",
}
"""For docs/metrics.md; how each is found out stands in runtime/exits.py."""


class Stage(str, Enum):
    """Part of a tick that failed (`gunicorn_autotune_errors_total{stage}`)."""

    READ = "read"
    DECIDE = "decide"
    APPLY = "apply"
    RECORD = "record"
    """The flight record; the tick itself went well."""


class Door(str, Enum):
    """Where Gunicorn calls us (`gunicorn_autotune_door_errors_total{door}`), by Gunicorn's own name for the place."""

    SETUP = "setup"
    MURDER_WORKERS = "murder_workers"
    TICK = "tick"
    """Also in murder_workers, the one method that Gunicorn calls once every turn of its loop."""
    WAIT_FOR_SIGNALS = "wait_for_signals"
    """`sleep` before Gunicorn 25.1."""
    MANAGE_WORKERS = "manage_workers"
    SPAWN_WORKERS = "spawn_workers"
    KILL_WORKER = "kill_worker"
    REAP_WORKERS = "reap_workers"
    RELOAD = "reload"
    REEXEC = "reexec"
    STOP = "stop"
    BOOT_ERROR = "boot_error"
    """WORKER_BOOT_ERROR and APP_LOAD_ERROR, asked when a worker is reaped."""
    ON_RELOAD = "on_reload"
    PRE_FORK = "pre_fork"
    CHILD_EXIT = "child_exit"
    NWORKERS_CHANGED = "nworkers_changed"
    POST_FORK = "post_fork"
    POST_WORKER_INIT = "post_worker_init"
    PRE_REQUEST = "pre_request"
    POST_REQUEST = "post_request"
    NOTIFY = "notify"
    WORKER_EXIT = "worker_exit"
    HANDLE = "handle"
    """A sync worker has accepted a connection."""
    GRACEFUL_TIMEOUT = "graceful_timeout"
    """The setting, asked by a worker that leaves."""


WORKER_DOORS = (
    Door.POST_FORK, Door.POST_WORKER_INIT, Door.PRE_REQUEST, Door.POST_REQUEST, Door.NOTIFY, Door.WORKER_EXIT,
    Door.HANDLE, Door.GRACEFUL_TIMEOUT,
)  # fmt: skip
"""Those that Gunicorn opens inside a worker."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who publishes."""

    gunicorn: str
    autotune: str
    python: str
    worker_class: str
    pid: int
    started_unix_seconds: float
    command_socket: str = ""
    """Where commands are taken; empty for nowhere."""
    name: str = ""
    """Gunicorn's proc_name: `-n`, else the app's."""
    metrics: str = ""
    """URL of /metrics, which `metrics = "auto"` alone does not tell; empty while no exporter listens."""


@dataclass(slots=True)
class Tally:
    """What the arbiter counts; only ever goes up."""

    spawns: int = 0
    unmeasured_workers: int = 0
    ticks: int = 0
    tick_seconds: float = 0.0
    exporter_spawns: int = 0
    commands_refused: int = 0
    drain_kills: int = 0
    """Workers that did not leave in time after they were asked to."""
    exits: Counter[ExitReason] = field(default_factory=Counter)
    last_exits: dict[ExitReason, float] = field(default_factory=dict)
    """Unix seconds of the last one of each."""
    errors: Counter[Stage] = field(default_factory=Counter)
    door_errors: Counter[Door] = field(default_factory=Counter)
    """What raised in the arbiter; what raised in a worker stands in the rows."""
    limit_changes: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    """Keyed `action/reason`."""


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: dataclasses become objects, Missing and Unlimited keep their meaning."""
    if isinstance(value, Missing):
        return {"missing": value.why}
    if isinstance(value, Unlimited):
        return "unlimited"
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {spec.name: plain(getattr(value, spec.name)) for spec in dataclasses.fields(value)}
    if hasattr(value, "items"):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def decision_record(decision: Decision, before: int, unix_seconds: float) -> dict[str, Any]:
    """One line of the decision log: `before` is the target it changed."""
    return {
        "time": round(unix_seconds, 3),
        "action": decision.action.value,
        "reason": decision.reason.value,
        "from": before,
        "to": decision.target,
        "facts": {name: round(value, 4) for name, value in decision.facts.items()},
    } | ({} if decision.cause is None else {"cause": decision.cause.value})


def status_document(
    identity: Identity, policy: Policy, mode: Mode, snapshot: Snapshot, decision: Decision, tally: Tally,
    recent: list[dict[str, Any]], unix_seconds: float, gunicorn: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """All but the worker rows. Times are Unix seconds; `monotonic` ties them to the stamps in the rows.

    `gunicorn` holds its settings in force: `settings` by Gunicorn's names (`bind` as a list of addresses, `tls` whether
    certificate or key is set, never their paths), `not_default` the names of those that somebody set, `kind` how the
    worker class runs requests (runtime/compat.py).
    """
    return {
        "version": DOCUMENT_VERSION,
        "time": unix_seconds,
        "monotonic": snapshot.at,
        "server": plain(identity),
        "mode": mode.value,
        "frozen": snapshot.frozen,
        "threads": snapshot.threads,
        "target": snapshot.target,
        "demand": plain(decision.demand),
        "cap": cap(decision),
        "caps": plain(decision.caps),
        "floor": decision.floor,
        "scale_out_pressure": plain(decision.scale_out_pressure),
        "bottleneck": plain(decision.bottleneck),
        "decision": decision_record(decision, snapshot.target, unix_seconds),
        "recent_decisions": recent[-RECENT_DECISIONS:],
        "listeners": plain(snapshot.listeners),
        "host": plain(snapshot.host),
        "tally": plain(tally)
        | {"decisions": {f"{a.value}/{r.value}": tally.decisions[f"{a.value}/{r.value}"] for a, r in PAIRS}},
        "policy": plain(policy),
        "gunicorn": gunicorn,
    }


def shorter(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The document, then forms of it that take ever less room, each with `left_out`: how many of what it lacks.

    First go the decisions of the past, then all listeners but those where most wait, then what a host of any size has.
    """
    yield document
    recent, listeners, refused = document["recent_decisions"], document["listeners"], document["refused_settings"]
    left_out = {"recent_decisions": len(recent)}
    yield document | {"recent_decisions": [], "left_out": left_out}
    fullest = sorted(listeners, key=_waiting, reverse=True)[:FULLEST_LISTENERS]
    left_out = left_out | {"listeners": len(listeners) - len(fullest)}
    yield document | {"recent_decisions": [], "listeners": fullest, "left_out": left_out}
    left_out = left_out | {"listeners": len(listeners), "refused_settings": len(refused), "gunicorn": 1}
    yield document | {
        "recent_decisions": [], "listeners": [], "refused_settings": [], "left_out": left_out,
        "gunicorn": {"missing": "the status document has no room for it"},
    }  # fmt: skip


def _waiting(listener: Mapping[str, Any]) -> int:
    backlog = listener.get("backlog")
    return backlog if isinstance(backlog, int) else -1
