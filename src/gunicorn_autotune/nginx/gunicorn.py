"""Gunicorn's side: the settings in force, each with where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gunicorn_autotune.nginx.quantity import version_of

SETTINGS = (
    "backlog", "bind", "chdir", "forwarded_allow_ips", "forwarder_headers", "graceful_timeout", "group",
    "http2_cleartext", "http_protocols", "keepalive", "limit_request_field_size", "limit_request_fields",
    "limit_request_line", "max_requests", "reuse_port", "threads", "timeout", "tls", "umask", "user",
    "worker_class", "worker_connections", "workers",
)  # fmt: skip
"""Gunicorn's names and units; `bind` is a list as Gunicorn prints it, `tls` is whether certfile is set, `worker_class`
the word as written. One that a version does not have is absent."""

SYNC, THREADED, CONCURRENT, UNKNOWN = "single", "threaded", "concurrent", "unknown"
"""How a worker class runs requests: sync, gthread, event loops (`overlapping` in runtime/compat.py), anything else."""


@dataclass(frozen=True, slots=True)
class Gunicorn:
    """One Gunicorn: of a configuration file, or running."""

    version: str
    kind: str = SYNC
    values: Mapping[str, Any] = field(default_factory=dict)
    """By the names of SETTINGS."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """`gunicorn.conf.py:4`, `GUNICORN_CMD_ARGS`, `running server, pid 71`; others are defaults."""
    policy: Mapping[str, Any] | None = None
    """Autotune's settings by name, max_workers resolved; None without autotune."""
    status: Mapping[str, Any] | None = None
    """/status.json of a running server; None when a file was read."""

    def get(self, name: str, default: Any = None) -> Any:
        """A setting's value; `default` where this version of Gunicorn has none."""
        return self.values.get(name, default)

    def shown(self, name: str) -> str:
        """`keepalive = 2 (default of Gunicorn 27.0.1)`."""
        value = self.values.get(name)
        text = f"{value:#o}" if name == "umask" and isinstance(value, int) else repr(value)
        return f"{name} = {text} ({self.origins.get(name, f'default of Gunicorn {self.version}')})"

    @property
    def numbers(self) -> tuple[int, ...]:
        """(27, 0, 1)."""
        return version_of(self.version)

    @property
    def most_workers(self) -> int:
        """max_workers where autotune decides, else Gunicorn's own count."""
        if self.policy is not None and self.policy.get("mode") == "active":
            return int(self.policy["max_workers"])
        return int(self.values.get("workers", 1))

    @property
    def requests_at_once(self) -> int:
        """Of one worker: 1, threads, or worker_connections."""
        if self.kind == THREADED:
            return int(self.values.get("threads", 1))
        return 1 if self.kind == SYNC else int(self.values.get("worker_connections", 1000))
