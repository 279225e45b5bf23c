"""What `doctor` says about one thing, and what its checks may look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from gunicorn_autotune.cli.probe import Probe
from gunicorn_autotune.cli.unit import Watched
from gunicorn_autotune.model.policy import Policy, for_host
from gunicorn_autotune.model.readings import HostReading
from gunicorn_autotune.sensors.cgroup import Cgroups


class Level(str, Enum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    """It works, but not as well as it could."""
    FAIL = "FAIL"
    """Gunicorn would not start, or would start untuned."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer of one check."""

    level: Level
    finding: str
    advice: str = ""
    """What to do; empty when nothing has to be done."""


@dataclass(frozen=True, slots=True)
class Host:
    """Everything read once, before the checks."""

    root: Path
    """Prefix of /proc and /sys; another one than / for a recorded host."""
    location: str | None
    """The configuration file as written; None for Gunicorn's defaults with autotune's."""
    probe: Probe
    cgroups: Cgroups
    reading: HostReading
    watched: Watched
    """Whose unit and memory cgroup are judged: the server that runs, else this process."""

    @property
    def proc(self) -> Path:
        """Where this host's /proc is."""
        return self.root / "proc"

    @property
    def policy(self) -> Policy:
        """Autotune's settings, the defaults where none could be read."""
        return Policy(**self.probe.policy) if self.probe.policy else Policy()

    @property
    def max_workers(self) -> int:
        """max_workers, or what stands for 0 on this host."""
        return for_host(self.policy, self.reading).max_workers

    def setting(self, name: str, default: Any) -> Any:
        """One of Gunicorn's settings; its default where none could be read."""
        value = self.probe.settings.get(name)
        return default if value is None else value


Check = Callable[[Host], "Finding | None"]
"""None: nothing to say on this host."""


def ok(finding: str) -> Finding:
    """As it should be."""
    return Finding(Level.OK, finding)


def warn(finding: str, advice: str) -> Finding:
    """Works, but not as well as it could."""
    return Finding(Level.WARN, finding, advice)


def fail(finding: str, advice: str) -> Finding:
    """Would not start, or would start untuned."""
    return Finding(Level.FAIL, finding, advice)
