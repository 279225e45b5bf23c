"""The planned gunicorn.conf.py as text, and its way to disk."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gunicorn_autotune import __version__
from gunicorn_autotune.cli.plan_observed import Observed
from gunicorn_autotune.cli.plan_settings import Setting
from gunicorn_autotune.cli.plan_words import cores_text, limit_text
from gunicorn_autotune.cli.style import WIDEST, CommandError, seconds_text, wrapped
from gunicorn_autotune.model.readings import Missing

HEAD = (
    "A gunicorn.conf.py to review, written by `gunicorn-autotune plan` {version} from {seconds} and {requests} "
    "requests on {cores}, {memory}. It fits that load on that host. A fixed count does not follow the load: autotune's "
    "install() does, and then `workers` is only where it starts."
)
FOOT = (
    "What the record does not hold is missing here: bind, wsgi_app, log files, user and whatever else your file sets."
)


def file_text(observed: Observed, settings: Sequence[Setting]) -> str:
    """Valid Python: assignments, each below its reason; a setting that is not pinned stays a comment."""
    cores = observed.cpu.cores
    head = HEAD.format(
        version=__version__,
        seconds=seconds_text(observed.seconds),
        requests=observed.load.requests,
        cores="unknown cores" if isinstance(cores, Missing) else cores_text(cores),
        memory=limit_text(observed.memory.limit_bytes),
    )
    lines = [*_comment(head), ""]
    for setting in settings:
        lines += [*_comment(setting.reason), _assignment(setting), ""]
    return "\n".join([*lines, *_comment(FOOT)]) + "\n"


def _assignment(setting: Setting) -> str:
    mark = "" if setting.pinned else "# "
    return f"{mark}{setting.name} = {_literal(setting.value)}"


def _literal(value: Any) -> str:
    """As Python writes it; a text in double quotes."""
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _comment(text: str) -> Iterator[str]:
    return (f"# {line}" for line in wrapped(text.replace("\n", " "), WIDEST - 2))


def write_file(path: Path, text: str, force: bool) -> None:
    """Refuses a file that exists, unless forced."""
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise CommandError(f"-o = {str(path)!r}: exists and is not overwritten; --force does") from None
    except OSError as error:
        raise CommandError(f"-o = {str(path)!r}: {error.strerror}") from None
