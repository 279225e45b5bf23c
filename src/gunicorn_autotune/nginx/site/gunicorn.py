"""Gunicorn's side: the settings in force, each with where it comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gunicorn_autotune.nginx.read.quantity import version_of

SETTINGS = (
    "backlog",
    "bind",
    "chdir",
    "forwarded_allow_ips",
    "forwarder_headers",
    "graceful_timeout",
    "group",
    "http2_cleartext",
    "http_protocols",
    "keepalive",
    "limit_request_field_size",
    "limit_request_fields",
    "limit_request_line",
    "max_requests",
    "reuse_port",
    "threads",
    "timeout",
    "tls",
    "umask",
    "user",
    "worker_class",
    "worker_connections",
    "workers",
)
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


EVERY_ADDRESS = frozenset({"0.0.0.0", "::", "*"})
_DEFAULT_PORT = 8000


@dataclass(frozen=True, slots=True)
class Bind:
    """One address of Gunicorn."""

    host: str
    """Name or address without brackets; empty for a UNIX socket."""
    port: int
    """0 for a UNIX socket."""
    path: str = ""
    """Of the UNIX socket; empty for TCP."""

    @property
    def text(self) -> str:
        """`127.0.0.1:8000`, `unix:/run/shop.sock`: as nginx writes it too."""
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def everywhere(self) -> bool:
        """Whether it listens at every address of its host."""
        return self.host in EVERY_ADDRESS

    @property
    def reachable_text(self) -> str:
        """What nginx on the same host connects to."""
        host = {"0.0.0.0": "127.0.0.1", "*": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return Bind(host, self.port, self.path).text


def binds(gunicorn: Gunicorn) -> tuple[Bind, ...]:
    """All of Gunicorn's addresses, except inherited sockets (`fd://3`), whose address is not known."""
    found = (bind_of(written, str(gunicorn.get("chdir") or "")) for written in gunicorn.get("bind", ()))
    return tuple(one for one in found if one is not None)


def bind_of(written: str, chdir: str = "") -> Bind | None:
    """One `bind`; a relative socket starts from `chdir`. None for a file descriptor and for what is not an address."""
    unix = re.match(r"unix:(//)?", written)
    if unix:
        path = written[unix.end() :]
        relative = chdir and not path.startswith(("/", "@"))
        return Bind("", 0, f"{chdir.rstrip('/')}/{path.removeprefix('./')}" if relative else path)
    address = written.removeprefix("tcp://")
    match = re.fullmatch(r"(\[[^\]]*\]|[^:/]*)(?::(\d{1,5}))?", address)
    if match is None:
        return None
    return Bind(match[1].strip("[]").lower() or "0.0.0.0", int(match[2] or _DEFAULT_PORT))
