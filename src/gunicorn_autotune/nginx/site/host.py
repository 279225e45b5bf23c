"""What only the host knows, and no configuration says. None always means: not known here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gunicorn_autotune.nginx.read.timing import Timing


@dataclass(frozen=True, slots=True)
class SocketFile:
    """A UNIX socket as `stat` shows it."""

    mode: int
    """Permission bits alone: 0o777."""
    owner: str
    group: str


@dataclass(frozen=True, slots=True)
class NginxTest:
    """`nginx -t`."""

    passed: bool
    output: str


@dataclass(frozen=True, slots=True)
class HostFacts:
    """Gathered by the command line; a sample of a rule writes them down."""

    cpus: int | None = None
    somaxconn: int | None = None
    """net.core.somaxconn: no listen queue is longer."""
    addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Names in `server` and `proxy_pass`, resolved; names that do not resolve are absent."""
    own_addresses: tuple[str, ...] = ()
    """Of this host's interfaces."""
    listening: frozenset[int] | None = None
    """TCP ports of this host that somebody listens at."""
    sockets: Mapping[str, SocketFile | None] = field(default_factory=dict)
    """UNIX sockets named by either side; None where there is no such file."""
    nginx_groups: tuple[str, ...] | None = None
    """Groups of nginx's worker user."""
    worker_open_files: int | None = None
    """Soft limit of a running nginx *worker*; the master's is another."""
    nginx_started_unix_seconds: float | None = None
    """Start of the youngest worker: workers are new after each reload."""
    changed_unix_seconds: Mapping[str, float] = field(default_factory=dict)
    """When each file of the configuration was changed last."""
    test: NginxTest | None = None
    error_log: tuple[str, ...] | None = None
    """Its last lines."""
    timing: Timing | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
    """The configuration's files by path: comments, and so the headers of rendered files, are in no tree."""
