"""What `init` accepts; a value that breaks a rule is refused with one line: option, value, rule."""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path

from gunicorn_autotune.cli.style import CommandError
from gunicorn_autotune.exporter.address import parse_address

_MODULE = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
_APP = re.compile(rf"{_MODULE}(:{_MODULE}(\([\w\s,.=/-]*\))?)?", re.ASCII)
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")


def check_app(value: str) -> str:
    """A module and the name of the app in it, or a factory call."""
    return _matched("--app", value, _APP, "must be MODULE:NAME, as wsgi:app, or a factory, as wsgi:create_app()")


def check_name(value: str) -> str:
    """Usable as the name of a unit and of a folder in /run."""
    return _matched("--name", value, _NAME, "must be 1 to 40 of a-z, 0-9, - and _, beginning with a letter or digit")


def check_user(option: str, value: str) -> str:
    """A user's name; whether it exists is another question, this may not be the machine that serves."""
    return _matched(option, value, _USER, "must be a user name of at most 32 of a-z, 0-9, - and _")


def check_dir(value: str) -> Path:
    """The absolute path of an existing directory."""
    folder = Path(os.path.abspath(value))  # noqa: PTH100 (a link such as `current` must stay one)
    if not folder.is_dir():
        raise CommandError(f"--dir = {value!r}: must be a directory that exists")
    if not str(folder).isprintable():
        raise CommandError(f"--dir = {value!r}: must hold no control characters, a unit file cannot name it")
    return folder


def check_bind(value: str, name: str) -> str:
    """`unix:/path` outside of the folder that goes with the service `name`, or `IP:PORT`, as systemd takes it."""
    rule = "must be unix:/absolute/path or IP:PORT, as 127.0.0.1:8000"
    try:
        address = parse_address(value)
        if not address.path and address.host:
            ipaddress.ip_address(address.host)
    except ValueError:
        raise CommandError(f"--bind = {value!r}: {rule}") from None
    if not address.path and not address.port:
        raise CommandError(f"--bind = {value!r}: {rule}, with a port from 1 to 65535")
    if not value.isprintable():
        raise CommandError(f"--bind = {value!r}: must hold no control characters")
    if _goes_with(Path(address.path), name):
        raise CommandError(
            f"--bind = {value!r}: must lie outside of /run/{name}, as unix:/run/{name}.sock; "
            "systemd removes that folder when the service stops, and the socket with it"
        )
    return value.strip()


def _goes_with(path: Path, name: str) -> bool:
    return any(Path(os.path.normpath(path)).is_relative_to(f"{run}/{name}") for run in ("/run", "/var/run"))


def _matched(option: str, value: str, pattern: re.Pattern[str], rule: str) -> str:
    if not pattern.fullmatch(value):
        raise CommandError(f"{option} = {value!r}: {rule}")
    return value
