"""Gunicorn reads a configuration: which module it asked for, and its default file beneath ours.

Imported together with the package, so nothing here may load Gunicorn at once.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

CONF = "gunicorn_autotune.conf"
PACKAGE = "gunicorn_autotune"


def module_asked_for() -> str | None:
    """NAME, while Gunicorn imports the module of `-c python:NAME`; None in any other import."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        function = frame.f_globals.get("__name__"), frame.f_code.co_name
        if function == ("gunicorn.app.base", "get_config_from_module_name"):
            name = frame.f_locals.get("module_name")
            return name if isinstance(name, str) else None
        frame = frame.f_back
    return None


def refuse_a_slip() -> None:
    """`-c python:gunicorn_autotune` would start a plain Gunicorn without a word: no setting stands in the package.

    Raises RuntimeError, which Gunicorn prints as it prints every fault of a configuration; exit code 1.
    """
    name = module_asked_for()
    if name is not None and name != CONF and (name + ".").startswith(PACKAGE + "."):
        raise RuntimeError(f"-c python:{name} is no configuration; did you mean -c python:{CONF}?")


def default_file() -> tuple[str, dict[str, Any]]:
    """Path and names of the ./gunicorn.conf.py that Gunicorn would have read without a -c; empty where there is none.

    Read by Gunicorn's own loader, so an error in it is told, and ends the start, as in plain Gunicorn.
    """
    from gunicorn.app.base import Application
    from gunicorn.config import get_default_config_file

    path = get_default_config_file()
    return ("", {}) if path is None else (path, Application.get_config_from_filename(None, path))


def forget_conf() -> None:
    """Before a reload: Gunicorn executes a file again, but takes an imported module as it is."""
    sys.modules.pop(CONF, None)
