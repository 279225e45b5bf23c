"""The process behind probe.py: `python -m gunicorn_autotune.cli.probe_child LOCATION` prints lines of JSON.

The last one counts; an earlier one is what is known before the file is executed, which may end the process.

The file is executed by Gunicorn's own loader, as a start would. Nothing is bound, no app is imported, no arbiter
runs, and our `install()` only notes its settings.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from gunicorn_autotune.exporter.address import parse_address
from gunicorn_autotune.model.policy import policy_from

SETTINGS = ("backlog", "keepalive", "threads", "worker_class_str", "worker_connections", "worker_tmp_dir")


def _look(location: str, found: dict[str, Any], tell: Callable[[], object]) -> None:
    """Fill `found` as far as it goes; whatever the file raises ends it."""
    import gunicorn

    found["gunicorn"] = gunicorn.__version__
    found["missing_names"] = _missing_names()
    tell()
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
    # What a file prints must not end up between our lines.
    answer = os.dup(1)
    os.dup2(2, 1)
    found: dict[str, Any] = {}

    def tell() -> None:
        os.write(answer, json.dumps(found, default=str).encode() + b"\n")

    try:
        _look(location, found, tell)
    except Exception as error:
        found["error"] = " ".join(str(error).split()) or type(error).__name__
    finally:
        sys.stdout.flush()
        tell()


if __name__ == "__main__":
    _main(sys.argv[1])
