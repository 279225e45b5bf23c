"""The process behind probe.py: `python -m gunicorn_autotune.cli.probe_child LOCATION [ARGUMENT ...]` prints JSON lines.

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

from gunicorn_autotune.cli.probe import CMD_ARGS, COMMAND_LINE, FILE
from gunicorn_autotune.exporter.address import check_setting
from gunicorn_autotune.model.policy import policy_from
from gunicorn_autotune.runtime import in_force

SETTINGS = ("worker_class_str", "worker_tmp_dir", "preload_app", "uid")
"""What `doctor` wants beside those of nginx.gunicorn.SETTINGS."""


def _look(location: str, arguments: list[str], found: dict[str, Any], tell: Callable[[], object]) -> None:
    """Fill `found` as far as it goes; whatever the file raises ends it."""
    import gunicorn

    found["gunicorn"] = gunicorn.__version__
    found["missing_names"] = _missing_names()
    tell()
    written = _note_install()
    cfg, in_file = _load(location, arguments)
    found["policy"] = _policy(written)
    found["kind"] = _kind(cfg)
    found["origins"] = _origins(cfg, in_file, arguments)
    found["settings"] = in_force.values(cfg) | {name: getattr(cfg, name) for name in SETTINGS}


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


def _load(location: str, arguments: list[str]) -> tuple[Any, list[str]]:
    """Gunicorn's configuration, and the names that the file gave a value."""
    from gunicorn.app.base import Application

    in_file: list[str] = []

    class Loader(Application):  # type: ignore[misc]
        """Gunicorn's own; needs no app."""

        def init(self, parser: Any, opts: Any, args: Any) -> None:
            """No app, so nothing is taken from it."""

        def load_config_from_module_name_or_filename(self, location: str) -> Any:
            found = super().load_config_from_module_name_or_filename(location)
            in_file.extend(found)
            return found

    # Ours last: of two -c Gunicorn takes the second.
    sys.argv = ["gunicorn", *arguments, "-c", location]
    return Loader("%(prog)s").cfg, in_file


def _origins(cfg: Any, in_file: list[str], arguments: list[str]) -> dict[str, str]:
    """Where each setting that is not left at its default comes from; of several the one that Gunicorn obeys."""
    parser = cfg.parser()
    origins = {name: text for name, text in in_force.FROM_ENVIRONMENT.items() if text in cfg.env_orig}
    origins |= dict.fromkeys(in_file, FILE)
    for words, origin in ((cfg.get_cmd_args_from_env(), CMD_ARGS), (arguments, COMMAND_LINE)):
        given = vars(parser.parse_args(words))
        origins |= dict.fromkeys((name for name, value in given.items() if value is not None), origin)
    return {name: origin for name, origin in origins.items() if name in cfg.settings}


def _policy(written: list[dict[str, Any]]) -> dict[str, Any] | None:
    if not written:
        return None
    policy = policy_from(written[-1], os.environ)
    check_setting(policy.metrics)
    return {name: getattr(policy, name) for name in policy.__slots__}


def _kind(cfg: Any) -> str:
    from gunicorn_autotune.runtime.compat import kind_of

    return kind_of(cfg.worker_class)


def _main(location: str, arguments: list[str]) -> None:
    # What a file prints must not end up between our lines.
    answer = os.dup(1)
    os.dup2(2, 1)
    found: dict[str, Any] = {}

    def tell() -> None:
        os.write(answer, json.dumps(found, default=str).encode() + b"\n")

    try:
        _look(location, arguments, found, tell)
    except Exception as error:
        found["error"] = " ".join(str(error).split()) or type(error).__name__
    finally:
        sys.stdout.flush()
        tell()


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2:])
