"""Gunicorn's settings in force as JSON can hold them: what somebody needs who writes or checks a proxy's configuration.

Names of users, no folder but those of sockets, and of TLS only whether it is on.
"""

from __future__ import annotations

import grp
import json
import pwd
from collections.abc import Callable, Mapping
from typing import Any

from gunicorn_autotune.nginx.site.gunicorn import SETTINGS
from gunicorn_autotune.runtime.compat import kind_of

FROM_ENVIRONMENT = {"bind": "PORT", "forwarded_allow_ips": "FORWARDED_ALLOW_IPS", "workers": "WEB_CONCURRENCY"}
"""Variables that Gunicorn itself reads for a default."""
UNPUBLISHED = frozenset({"chdir"})
LARGEST_BYTES = 16 << 10
"""Of the published object: a list of networks without end must not crowd the status document out of its room."""


def values(cfg: Any) -> dict[str, Any]:
    """By the names of nginx.gunicorn.SETTINGS; those that this Gunicorn does not have are absent."""
    plain = {name: cfg.settings[name].get() for name in SETTINGS if name in cfg.settings}
    return plain | {name: read(cfg) for name, read in _READ.items()}


def not_default(cfg: Any, environment: Mapping[str, str]) -> list[str]:
    """Names whose value is not this Gunicorn's default, or comes from a variable that Gunicorn reads."""
    names = (*SETTINGS, "certfile", "keyfile")
    settings = {name: cfg.settings[name] for name in names if name in cfg.settings}
    changed = {name for name, setting in settings.items() if setting.get() != type(setting)().get()}
    changed |= {name for name, variable in FROM_ENVIRONMENT.items() if variable in environment}
    if changed & {"certfile", "keyfile"}:
        changed.add("tls")
    return sorted(changed & set(SETTINGS))


def published(server: Any) -> dict[str, Any]:
    """`gunicorn` of the status document: `kind`, `settings`, `not_default`; `{"missing": why}` if it cannot be told.

    Made once for each load of the configuration, not in a tick. Never raises.
    """
    try:
        cfg = server.cfg
        told = {
            "kind": kind_of(server.worker_class),
            "settings": {name: value for name, value in values(cfg).items() if name not in UNPUBLISHED},
            "not_default": [name for name in not_default(cfg, cfg.env_orig) if name not in UNPUBLISHED],
        }
        size_bytes = len(json.dumps(told))
    except Exception as error:
        return {"missing": f"the settings cannot be read: {type(error).__name__}: {error}"}
    if size_bytes > LARGEST_BYTES:
        return {"missing": f"the settings take {size_bytes} bytes, more than {LARGEST_BYTES}"}
    return told


def _address_text(address: Any) -> str:
    """`127.0.0.1:8000`, `[::1]:8000`, `unix:/run/x.sock`, `fd://3`."""
    if isinstance(address, int):
        return f"fd://{address}"
    if isinstance(address, str):
        return f"unix:{address}"
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _class_text(written: Any) -> str:
    return written if isinstance(written, str) else f"{written.__module__}.{written.__qualname__}"


def user_name(uid: int) -> str:
    """Its name, or the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    """Its name, or the number where it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


_READ: dict[str, Callable[[Any], Any]] = {
    "bind": lambda cfg: [_address_text(address) for address in cfg.address],
    "group": lambda cfg: group_name(cfg.gid),
    "tls": lambda cfg: bool(cfg.is_ssl),
    "user": lambda cfg: user_name(cfg.uid),
    "worker_class": lambda cfg: _class_text(cfg.settings["worker_class"].get()),
}
