"""Every setting, declared once: default, unit, bounds, meaning. CLI help, docs and validation come from here."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from gunicorn_autotune.model.environment import settings_in
from gunicorn_autotune.model.readings import HostReading, Limit, Missing, Reading, Unlimited, known

_LEAST_LEAK_RATIO = 1.5
MOST_WORKERS = 4096
"""No setting asks for more; the scoreboard has room for twice as many."""


class PolicyError(ValueError):
    """A setting the operator wrote is wrong; the text is one line naming setting, value and rule."""


def setting(
    default: Any, help: str, *, unit: str = "", low: float | None = None, high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:  # fmt: skip
    """A dataclass field that carries its own documentation and bounds."""
    metadata = {"help": help, "unit": unit, "low": low, "high": high, "choices": choices}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator wants. Frozen; build one with `policy_from` to get checks with names in them."""

    mode: str = setting(
        "active", "active: decide and act. observe: decide, log and export, never touch a worker. off: plain Gunicorn. "
                  "A HUP may change it.",
        choices=("active", "observe", "off"),
    )  # fmt: skip
    min_workers: int = setting(
        2, "Never fewer workers than this. With 1, a single slow request blocks the site. Where Gunicorn's `workers` "
           "is written, that many are started; a written `workers = 1` stays one until min_workers or max_workers is "
           "written too.",
        unit="workers", low=1, high=MOST_WORKERS,
    )  # fmt: skip
    max_workers: int = setting(
        0, "Never more workers than this, but for a replacement beside the worker it replaces (recycle_surge). "
           "0: 16 per core + 8, at most 512, and at most one per 32 MiB of the memory limit until workers have been "
           "measured for a minute; but not below a written `workers`; CPU and memory caps keep the count below it. "
           "Mind connections: every worker opens its own to the database.",
        unit="workers", low=0, high=MOST_WORKERS,
    )  # fmt: skip
    metrics: str = setting(
        "auto",
        "Where the exporter listens: HOST:PORT, unix:/path, or off. auto: 127.0.0.1:9877, or where another server has "
        "that, the first free port up to 9896; the log and `gunicorn-autotune status` tell it. Write an address for a "
        "Prometheus that must find it.",
    )
    metrics_cert_file: str = setting("", "TLS certificate (PEM) of the exporter; needs metrics_key_file.")
    metrics_key_file: str = setting("", "TLS private key (PEM) of the exporter.")
    metrics_bearer_token_file: str = setting(
        "", "File whose first line is the bearer token a scrape must present. Read again when it changes."
    )
    user_metrics: str = setting(
        "on", "Merge the app's own metrics (PROMETHEUS_MULTIPROC_DIR) into ours, their files kept per slot, not pid.",
        choices=("on", "off"),
    )  # fmt: skip
    tick_seconds: float = setting(0.25, "How often sensors are read and the law asked: a queue is seen in this time.",
                                  unit="seconds", low=0.05, high=1.0)  # fmt: skip
    queue_time_goal_seconds: float = setting(
        0.05, "A request should wait at most this long for a worker.", unit="seconds", low=0.001, high=10.0
    )
    queue_time_miss_share: float = setting(
        0.02, "Share of requests that may wait longer than that.", unit="share", low=0.0001, high=0.5
    )
    scale_down_window_seconds: float = setting(
        300.0, "Shrink only to the most that was needed within this window.", unit="seconds", low=1, high=86400
    )
    calm_seconds: float = setting(
        60.0, "Shrink only after this long without pressure.", unit="seconds", low=0, high=86400
    )
    operator_hold_seconds: float = setting(
        300.0,
        "How long a manual TTIN, TTOU or `gunicornc worker add` is left alone.",
        unit="seconds",
        low=0,
        high=86400,
    )
    boot_backoff_seconds: float = setting(
        10.0, "Pause after a worker that failed to boot; doubles with each failure in a row.",
        unit="seconds", low=0.1, high=3600)  # fmt: skip
    memory_reserve_share: float = setting(
        0.10, "Share of the memory limit that growth leaves free.", unit="share", low=0.0, high=0.9
    )
    memory_limit_bytes: int = setting(
        0, "Memory the server may use, all of its cgroup together. What the cgroup or the machine with the least "
           "room grants stays a limit beside it, read again every second. Write it where limits are out of sight, as "
           "in some containers.",
        unit="bytes", low=0)  # fmt: skip
    cpu_limit_cores: float = setting(
        0.0, "Cores the server may use; 0: what quota, cpuset and affinity grant, read again every second.",
        unit="cores", low=0.0)  # fmt: skip
    command_socket: str = setting(
        "auto", "UNIX socket (an absolute path, mode 0600) for commands such as `gunicorn-autotune recycle`. auto: "
                "PID.sock in a folder of the server's user, below $XDG_RUNTIME_DIR, /run (root), a unit's "
                "RuntimeDirectory or the temporary folder. off: none.")  # fmt: skip
    max_requests_owner: str = setting(
        "autotune", "Who keeps Gunicorn's max_requests and max_requests_jitter. autotune: the replacement boots first, "
        "and a worker leaves by itself only at two to three times its limit; a max_requests below 5 stays Gunicorn's. "
        "gunicorn: as without us.",
        choices=("autotune", "gunicorn"),
    )  # fmt: skip
    oom_workers_first: str = setting(
        "on", "on: workers, and then the exporter, raise their own oom_score_adj, so that the kernel kills them before "
              "the arbiter when memory runs out. off: all keep what the arbiter has, as without us.",
        choices=("on", "off"),
    )  # fmt: skip
    recycle_uss_bytes: int = setting(
        0, "Recycle a worker whose private memory (USS) is larger; 0: never. A limit close to what a fresh worker "
           "takes is refused, with both figures in the log.",
        unit="bytes", low=0)  # fmt: skip
    recycle_rss_bytes: int = setting(
        0, "The same for resident memory (RSS), which counts what workers share in every one of them; 0: never.",
        unit="bytes", low=0)  # fmt: skip
    recycle_leak_ratio: float = setting(
        4.0, "Recycle a worker that grows with every request, once it takes this many times what it took after its "
             "first requests; 0: never.",
        unit="ratio", low=0.0, high=1000.0)  # fmt: skip
    recycle_age_seconds: float = setting(0.0, "Recycle a worker that is older; 0: never.", unit="seconds",
                                         low=0.0, high=30 * 86400.0)  # fmt: skip
    recycle_jitter_share: float = setting(
        0.1, "Each worker's own limit of size and age lies below the setting by up to this share, drawn at its birth.",
        unit="share", low=0.0, high=0.9)  # fmt: skip
    recycle_max_unavailable: int = setting(
        1, "Most workers replaced at once. What follows here holds for every cause but memory that runs out.",
        unit="workers", low=1, high=64)  # fmt: skip
    recycle_gap_seconds: float = setting(5.0, "Shortest pause between two recycles.", unit="seconds",
                                         low=0.0, high=86400.0)  # fmt: skip
    recycles_per_hour: int = setting(360, "Most recycles in any hour.", unit="recycles", low=1, high=36000)
    recycle_lifetime_seconds: float = setting(60.0, "No worker is recycled sooner after its boot.", unit="seconds",
                                              low=0.0, high=86400.0)  # fmt: skip
    recycle_hold_seconds: float = setting(
        3600.0, "How long a shrink waits for workers without long-lived connections (WebSockets, streams, requests "
                "over 5 s), and how long a worker that autotune asked to leave may wait for its own to end. Waiting "
                "costs memory alone, and where that runs short nobody waits. 0: graceful_timeout, as Gunicorn.",
        unit="seconds", low=0.0, high=86400.0)  # fmt: skip
    recycle_surge: str = setting(
        "on", "on: the replacement boots first, even if that is one more than max_workers for a moment. off: never "
              "more than max_workers; the old worker leaves first when all places are taken.",
        choices=("on", "off"),
    )  # fmt: skip
    flight_record: str = setting(
        "", "File (an absolute path) that keeps what every tick saw and decided, for `gunicorn-autotune replay`. "
            "Empty: none.")  # fmt: skip
    flight_record_bytes: int = setting(
        64 << 20, "The record and the one before it (`.1`) never take more than this together.",
        unit="bytes", low=1 << 20)  # fmt: skip

    def __post_init__(self) -> None:
        for spec in dataclasses.fields(self):
            _check_bounds(spec, spec.name, getattr(self, spec.name))
        if self.max_workers and self.min_workers > self.max_workers:
            raise PolicyError(
                f"autotune setting min_workers = {self.min_workers}: must be at most max_workers ({self.max_workers})"
            )
        if bool(self.metrics_cert_file) != bool(self.metrics_key_file):
            raise PolicyError(
                f"autotune setting metrics_cert_file = {self.metrics_cert_file!r}: goes together with metrics_key_file"
            )
        if self.flight_record and not self.flight_record.startswith("/"):
            # Gunicorn changes its folder (chdir), so a relative path would not lead where its writer stood.
            raise PolicyError(f"autotune setting flight_record = {self.flight_record!r}: must be an absolute path")
        if self.command_socket not in ("auto", "off") and not self.command_socket.startswith("/"):
            raise PolicyError(
                f"autotune setting command_socket = {self.command_socket!r}: must be auto, off or an absolute path"
            )
        if 0.0 < self.recycle_leak_ratio < _LEAST_LEAK_RATIO:
            raise PolicyError(
                f"autotune setting recycle_leak_ratio = {self.recycle_leak_ratio}: must be 0 or at least "
                f"{_LEAST_LEAK_RATIO}"
            )


def _check_bounds(spec: dataclasses.Field[Any], written: str, value: Any) -> None:
    rule = spec.metadata
    if rule["choices"] and value not in rule["choices"]:
        raise PolicyError(f"autotune setting {written} = {value!r}: must be one of {', '.join(rule['choices'])}")
    if rule["low"] is not None and not value >= rule["low"]:
        raise PolicyError(f"autotune setting {written} = {value!r}: must be at least {rule['low']}")
    if rule["high"] is not None and not value <= rule["high"]:
        raise PolicyError(f"autotune setting {written} = {value!r}: must be at most {rule['high']}")


def _convert(spec: dataclasses.Field[Any], written: str, value: Any) -> Any:
    """`value` as the setting's type; text from the environment included."""
    kind: Any = type(spec.default)
    if kind is str:
        if isinstance(value, str):
            return value.strip()
        raise PolicyError(f"autotune setting {written} = {value!r}: must be text")
    noun = "a whole number" if kind is int else "a number"
    try:
        number = kind(value.strip() if isinstance(value, str) else value)
    except (TypeError, ValueError, OverflowError):
        raise PolicyError(f"autotune setting {written} = {value!r}: must be {noun}") from None
    exact = isinstance(value, str) or number == value
    if isinstance(value, bool) or not exact or number != number:
        raise PolicyError(f"autotune setting {written} = {value!r}: must be {noun}")
    return number


def _look_up(name: str, written: str) -> dataclasses.Field[Any]:
    specs = {spec.name: spec for spec in dataclasses.fields(Policy)}
    if name in specs:
        return specs[name]
    close = difflib.get_close_matches(name, specs, n=1)
    hint = f"; did you mean {close[0]}?" if close else f"; known settings: {', '.join(specs)}"
    raise PolicyError(f"autotune setting {written}: no such setting{hint}")


def _checked(name: str, written: str, value: Any) -> Any:
    spec = _look_up(name, written)
    converted = _convert(spec, written, value)
    _check_bounds(spec, written, converted)
    return converted


def policy_from(written: Mapping[str, Any], environment: Mapping[str, str]) -> Policy:
    """The policy an operator wrote in a file, overridden by GUNICORN_AUTOTUNE_* of the environment.

    Raises PolicyError, one line naming the setting as written, its value and the rule.
    """
    values: dict[str, Any] = {}
    for name, value in written.items():
        values[name] = _checked(name, name, value)
    for variable, name, text in settings_in(environment):
        values[name] = _checked(name, variable, text)
    if values.get("max_workers") and "min_workers" not in values:
        # Our default must not contradict what somebody wrote.
        values["min_workers"] = min(Policy().min_workers, values["max_workers"])
    return Policy(**values)


def names_written(written: Collection[str], environment: Mapping[str, str]) -> frozenset[str]:
    """The settings that somebody gave a value, in the file or in the environment."""
    return frozenset([*written, *(name for _, name, _ in settings_in(environment))])


def with_automatic_max(policy: Policy, cores: float, memory_bytes: int | None) -> Policy:
    """`policy` with max_workers = 0 replaced by 16 per core + 8, one per 32 MiB of memory at most, 512 at most."""
    if policy.max_workers:
        return policy
    by_memory = memory_bytes // (32 << 20) if memory_bytes else 512
    automatic = max(policy.min_workers, 4, min(int(16 * cores + 8), by_memory, 512))
    return dataclasses.replace(policy, max_workers=automatic)


def for_host(policy: Policy, host: HostReading, *, sized: bool = False) -> Policy:
    """`policy` as the law wants it, max_workers filled in from this host's limits; one core where none can be read.

    Once workers' sizes are known (`sized`) the memory cap knows better than a guess how many fit.
    """
    cores = policy.cpu_limit_cores or known(host.cpu_limit_cores, 1.0)
    # A limit that cannot be read for a moment must not lower the maximum: workers above it would leave at once.
    return with_automatic_max(policy, cores, None if sized else least_limit_in_force(policy, host))


def memory_in_force(policy: Policy, host: HostReading) -> tuple[Limit[int], Reading[int]]:
    """(limit, used) in bytes, both of one level: what the host grants, or the written limit where that has less room.

    A written limit is compared with what is our own; it lifts none of the kernel's.
    """
    granted, used = host.memory_limit_bytes, host.memory_used_bytes
    written, own = policy.memory_limit_bytes, host.memory_own_bytes
    if not written:
        return granted, used
    if isinstance(granted, (Missing, Unlimited)) or isinstance(used, Missing):
        return written, own
    if isinstance(own, Missing) or granted - used < written - own:
        return granted, used
    return written, own


def written_in_force(policy: Policy, host: HostReading) -> bool:
    """Whether memory_limit_bytes is the limit that counts now."""
    return bool(policy.memory_limit_bytes) and memory_in_force(policy, host)[0] == policy.memory_limit_bytes


def least_limit_in_force(policy: Policy, host: HostReading) -> int | None:
    """Bytes that shares of memory are shares of: the smallest limit, so that no budget leaps when another one counts.

    A tenth of a large machine would be more than a small service may use at all.
    """
    limit, _ = memory_in_force(policy, host)
    if isinstance(limit, (Missing, Unlimited)):
        return None
    return min(limit, known(host.memory_least_limit_bytes, limit), policy.memory_limit_bytes or limit)
