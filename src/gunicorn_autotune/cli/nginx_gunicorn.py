"""Gunicorn's side of `nginx render` and `nginx check`: the settings in force, each with where it comes from."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gunicorn_autotune.cli.asking import Place, parse_place, read_token
from gunicorn_autotune.cli.config_lines import assigned_lines
from gunicorn_autotune.cli.probe import FILE, Probe, check_location, probe
from gunicorn_autotune.cli.servers import find_server
from gunicorn_autotune.cli.status import parse_document, read_status
from gunicorn_autotune.cli.style import CommandError
from gunicorn_autotune.exporter.address import AUTO, first_choice
from gunicorn_autotune.model.policy import Policy, for_host
from gunicorn_autotune.nginx.site.gunicorn import CONCURRENT, SETTINGS, Gunicorn
from gunicorn_autotune.runtime.compat import OVERLAPPING
from gunicorn_autotune.sensors.cgroup import find_cgroup, read_host

_TEXTS = frozenset({"chdir", "group", "user", "worker_class"})
_LISTS = frozenset({"bind", "forwarded_allow_ips", "forwarder_headers", "http_protocols"})
_FLAGS = frozenset({"reuse_port", "tls"})
_WORDS = frozenset({"http2_cleartext"})
_VERSION = re.compile(r"[0-9]+(\.[0-9]+)*[A-Za-z0-9.+-]*")


def from_config(location: str, arguments: Sequence[str] = ()) -> Gunicorn:
    """What a start with `-c LOCATION ARGUMENTS` would run with; `location` is a file or python:MODULE.

    The file is executed by Gunicorn's own loader in a process of its own. `arguments` are more words of Gunicorn's
    command line, which beat the file: `["--threads", "4"]`. A CommandError of one line when it cannot be read.
    """
    check_location(location)
    found = probe(location, arguments)
    if not found.gunicorn or found.error:
        raise CommandError(f"--config = {location!r}: {found.error or 'Gunicorn cannot be imported'}")
    return Gunicorn(
        version=found.gunicorn,
        kind=_kind(found.kind),
        values={name: found.settings[name] for name in SETTINGS if name in found.settings},
        origins=_origins(found, location),
        policy=_policy(found),
    )


def from_server(word: str | None, token_file: str | None = None) -> Gunicorn:
    """What a running server runs with, from its exporter; `word` as in --server.

    A CommandError of one line when nobody answers there, or somebody who does not tell his settings.
    """
    place = find_server(word, os.environ).exporter()
    document = parse_document(place, read_status(place, read_token(token_file) if token_file else ""))
    told = _told(place, document)
    try:
        return _from_document(document, told)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        what = f"its status document is not as expected ({type(error).__name__}: {error})"
        raise CommandError(f"{place}: {what}; is it of another version of autotune?") from None


def _from_document(document: Mapping[str, Any], told: Mapping[str, Any]) -> Gunicorn:
    bind = _listening(document)
    values = {name: _checked(name, told["settings"][name]) for name in SETTINGS if name in told["settings"]}
    origin = f"running server, pid {document['server']['pid']}"
    changed = set(told["not_default"])
    if bind and not values.get("reuse_port") and bind != values.get("bind"):
        # A name, a port of 0, sockets handed over by systemd: what listens is what nginx must reach.
        values["bind"] = bind
        changed.add("bind")
    return Gunicorn(
        version=_version(document["server"]["gunicorn"]),
        kind=_kind(told["kind"]),
        values=values,
        origins=dict.fromkeys(sorted(changed), origin),
        policy=document["policy"] | {"max_workers": _most_workers(document), "metrics": _metrics(document)},
        status=document,
    )


def _checked(name: str, value: Any) -> Any:
    """A setting of its own type; whoever answers at an address may write anything, and files are made of it."""
    if name in _LISTS:
        fine = isinstance(value, list) and all(isinstance(one, str) for one in value)
    elif name in _TEXTS:
        fine = isinstance(value, str)
    elif name in _FLAGS:
        fine = isinstance(value, bool)
    elif name in _WORDS:
        fine = isinstance(value, (str, bool))
    else:
        fine = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if not fine:
        raise ValueError(f"{name} = {value!r:.60}")
    return value


def _version(value: str) -> str:
    if not _VERSION.fullmatch(value):
        raise ValueError(f"gunicorn = {value!r:.60}")
    return value


def _kind(name: str) -> str:
    """The word of nginx/gunicorn.py for one of runtime/compat.py."""
    return CONCURRENT if name == OVERLAPPING else name


def _origins(found: Probe, location: str) -> dict[str, str]:
    """By the names of SETTINGS; the file with the line where it can be told."""
    lines = {} if location.startswith("python:") else assigned_lines(Path(location.removeprefix("file:")))

    def shown(name: str) -> str:
        if found.origins[name] != FILE:
            return found.origins[name]
        return location.removeprefix("file:") + (f":{lines[name]}" if name in lines else "")

    origins = {name: shown(name) for name in found.origins if name in SETTINGS}
    tls = [shown(name) for name in ("certfile", "keyfile") if name in found.origins]
    return origins | ({"tls": tls[0]} if tls else {})


def _policy(found: Probe) -> dict[str, Any] | None:
    """Autotune's settings; max_workers = 0 becomes what it stands for on this host."""
    if found.policy is None:
        return None
    most = for_host(Policy(**found.policy), read_host(find_cgroup())).max_workers
    return found.policy | {"max_workers": most, "metrics": first_choice(found.policy["metrics"])}


def _told(place: Place, document: Mapping[str, Any]) -> Mapping[str, Any]:
    """`gunicorn` of the status document; a CommandError that says why there is none."""
    if not isinstance(document.get("server"), dict):
        raise CommandError(f"{place}: {document.get('missing', 'the server tells nothing about itself')}; try again")
    told = document.get("gunicorn")
    if not isinstance(told, dict):
        raise CommandError(
            f"{place}: autotune {document['server'].get('autotune', '')} runs there and does not tell Gunicorn's "
            "settings yet; restart Gunicorn after the upgrade, or name its file with --config"
        )
    if "missing" in told:
        raise CommandError(f"{place}: {told['missing']}; name Gunicorn's file with --config")
    return told


def _listening(document: Mapping[str, Any]) -> list[str]:
    """The addresses of the sockets that listen, as in `bind`."""
    return [re.sub("^https?://", "", listener["address"]) for listener in document.get("listeners", ())]


def _most_workers(document: Mapping[str, Any]) -> int:
    """max_workers as the server itself resolved it, which may run in another cgroup than we do."""
    return int(document["policy"]["max_workers"] or document["caps"].get("config_max", 0) or document["target"])


def _metrics(document: Mapping[str, Any]) -> str:
    """The setting `metrics`; of `auto`, what it came to."""
    written = str(document["policy"]["metrics"])
    found = document["server"].get("metrics") if written == AUTO else ""
    return str(parse_place(str(found), "metrics").address) if found else first_choice(written)
