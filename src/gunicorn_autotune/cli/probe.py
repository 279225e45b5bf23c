"""Gunicorn looked at from a process of its own: `python -m gunicorn_autotune.cli.probe LOCATION` prints one JSON line.

The configuration file is executed by Gunicorn's own loader, as a start would, so it must not happen inside `doctor`:
a file may exit, print or patch. Nothing is bound, no app is imported, and our `install()` only notes its settings.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

from gunicorn_autotune.exporter.address import parse_address
from gunicorn_autotune.model.policy import policy_from

DEFAULT_LOCATION = "python:gunicorn_autotune.conf"
"""What `doctor` looks at without --config: Gunicorn's defaults with autotune's."""
TIMEOUT_SECONDS = 60
SETTINGS = (
    "backlog", "graceful_timeout", "keepalive", "max_requests", "preload_app", "reuse_port", "threads", "timeout",
    "worker_class_str", "worker_connections", "worker_tmp_dir",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Probe:
    """What the child found; empty parts where it did not get that far."""

    gunicorn: str = ""
    """Version; empty when it cannot be imported."""
    missing_names: tuple[str, ...] = ()
    """Private names we lean on and this Gunicorn has not."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Gunicorn's, resolved from file and GUNICORN_CMD_ARGS; empty when the file could not be read."""
    policy: dict[str, Any] | None = None
    """Autotune's settings; None when install() was not called."""
    kind: str = ""
    """How the worker class runs requests (runtime/compat.py)."""
    error: str = ""
    """Why the file, or Gunicorn itself, could not be read: the last line of what it said."""


def probe(location: str | None) -> Probe:
    """Run the child. Never raises for anything a file or an installation does."""
    command = [sys.executable, "-m", "gunicorn_autotune.cli.probe", location or DEFAULT_LOCATION]
    # Else a file that calls prometheus_client itself might touch the files of a running server.
    environment = {name: text for name, text in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    try:
        ended = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Probe(error=str(error))
    said = [line for line in ended.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    try:
        found = json.loads(ended.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        return Probe(error=said[-1] if said else f"exit code {ended.returncode}")
    last = said[-1] if said else "it ended the process"
    return Probe(
        found.get("gunicorn", ""), tuple(found.get("missing_names", ())), found.get("settings", {}),
        found.get("policy"), found.get("kind", ""), "" if found.get("settings") else found.get("error", last),
    )  # fmt: skip


def _look(location: str, found: dict[str, Any]) -> None:
    """Fill `found` as far as it goes; whatever the file raises ends it."""
    import gunicorn

    found["gunicorn"] = gunicorn.__version__
    found["missing_names"] = _missing_names()
    written = _note_install()
    cfg = _load(location)
    found["policy"] = _policy(written)
    found["kind"] = _kind(cfg)
    found["settings"] = {name: getattr(cfg, name) for name in SETTINGS}


def _missing_names() -> list[str]:
    from gunicorn.arbiter import Arbiter
    from gunicorn.config import Config

    from gunicorn_autotune.runtime.compat import missing_names

    class Blank:
        """An application with Gunicorn's defaults: an arbiter of it opens nothing."""

        cfg = Config()

    return missing_names(Arbiter(Blank()))


def _note_install() -> list[dict[str, Any]]:
    """Replace install() by one that only remembers: the real one changes the arbiter and empties a metrics folder."""
    from gunicorn_autotune.runtime import install

    written: list[dict[str, Any]] = []
    install.install = lambda namespace, settings: written.append(settings)
    return written


def _load(location: str) -> Any:
    from gunicorn.app.wsgiapp import WSGIApplication

    sys.argv = ["gunicorn", "-c", location, "wsgi:app"]
    return WSGIApplication("%(prog)s").cfg


def _policy(written: list[dict[str, Any]]) -> dict[str, Any] | None:
    if not written:
        return None
    policy = policy_from(written[-1], os.environ)
    if policy.metrics != "off":
        parse_address(policy.metrics)
    return {name: getattr(policy, name) for name in policy.__slots__}


def _kind(cfg: Any) -> str:
    from gunicorn_autotune.runtime.compat import kind_of

    return kind_of(cfg.worker_class)


def _main(location: str) -> None:
    # What a file prints must not end up in our one line.
    answer = os.dup(1)
    os.dup2(2, 1)
    found: dict[str, Any] = {}
    try:
        _look(location, found)
    except Exception as error:
        found["error"] = " ".join(str(error).split()) or type(error).__name__
    finally:
        sys.stdout.flush()
        os.write(answer, json.dumps(found, default=str).encode() + b"\n")


if __name__ == "__main__":
    _main(sys.argv[1])
