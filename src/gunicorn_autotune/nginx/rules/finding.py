"""What a rule is, what it needs to know, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.write.edits import Edits


class Severity(str, Enum):
    """How bad it is."""

    ERROR = "error"
    """Requests fail, or somebody gets access that they must not have."""
    WARNING = "warning"
    """It works, slower or weaker than it could."""
    INFO = "info"
    """Worth knowing."""


class Need(str, Enum):
    """What a rule must know. Where it is not known, the check lists the rule as unchecked instead of guessing."""

    GUNICORN = "gunicorn"
    """The settings in force: --config or --server."""
    LIVE = "live"
    """A running server: --server."""
    NGINX = "nginx"
    """nginx itself on this host."""
    LOG = "log"
    """nginx's error log."""
    TIMING = "timing"
    """A timing log in the format `autotune`."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; its module's docstring is its page."""

    id: str
    severity: Severity
    title: str
    """A sentence that is false where the rule fires: what a good configuration does."""
    needs: frozenset[Need] = frozenset()


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer of one rule."""

    rule: Rule
    file: str
    line: int
    message: str
    """One sentence: what is wrong here, with the figures."""
    nginx: str = ""
    """The effective value with its origin: `keepalive_timeout 60s (default of nginx 1.22.1)`."""
    gunicorn: str = ""
    """The other side, as Gunicorn.shown()."""
    fix: str = ""
    """Lines to paste, nginx's or Gunicorn's; says which file where it is not this one."""
    edits: Edits = ()
    """The same fix as a change of the files read, where it can be told so exactly."""
    severity: Severity | None = None
    """Where it differs from the rule's."""
    ignored: bool = False

    @property
    def level(self) -> Severity:
        """Its own severity, else the rule's."""
        return self.severity or self.rule.severity


def at(
    rule: Rule,
    place: Directive,
    message: str,
    *,
    severity: Severity | None = None,
    nginx: object = "",
    gunicorn: str = "",
    fix: str = "",
    edits: Edits = (),
) -> Finding:
    """A finding at a directive; `nginx` may be a scope.Value, which shows its origin."""
    return Finding(rule, place.file, place.line, message, str(nginx), gunicorn, fix, edits, severity)
