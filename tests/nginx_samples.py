"""Samples of nginx rules: real configurations whose `#: ` lines say what stands beside them.

    #: nginx = "1.22.1"
    #: gunicorn.keepalive = 2          (any gunicorn.* line: a Gunicorn with its defaults but for these is there)
    #: policy.max_workers = 16         (autotune is installed)
    #: status.busy_share = 0.9         (it is running; the rest of /status.json is up to the rule)
    #: host.cpus = 2                   (fields of HostFacts)

`fires.conf` makes the rule speak, `silent.conf` does not; a rule that needs several files has a folder of them instead,
`fires/nginx.conf` and what it includes.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gunicorn_autotune.nginx.read.parse import parse
from gunicorn_autotune.nginx.read.timing import Timing
from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.site.gunicorn import CONCURRENT, SYNC, THREADED, UNKNOWN, Gunicorn
from gunicorn_autotune.nginx.site.host import HostFacts, NginxTest, SocketFile
from gunicorn_autotune.nginx.site.site import Site, site_of
from tests.nginx_words import Texts

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

RULES = Path(__file__).parent / "fixtures" / "nginx" / "rules"
KINDS = {"sync": SYNC, "gthread": THREADED, "gevent": CONCURRENT, "eventlet": CONCURRENT, "asgi": CONCURRENT}
DEFAULTS: dict[str, Any] = {
    "backlog": 2048,
    "bind": ["127.0.0.1:8000"],
    "forwarded_allow_ips": ["127.0.0.1", "::1"],
    "forwarder_headers": ["SCRIPT_NAME", "PATH_INFO"],
    "graceful_timeout": 30,
    "group": "www-data",
    "http2_cleartext": "off",
    "http_protocols": "h1",
    "keepalive": 2,
    "limit_request_field_size": 8190,
    "limit_request_fields": 100,
    "limit_request_line": 4094,
    "max_requests": 0,
    "reuse_port": False,
    "threads": 1,
    "timeout": 30,
    "tls": False,
    "umask": 0,
    "user": "www-data",
    "worker_class": "sync",
    "worker_connections": 1000,
    "workers": 1,
}
"""Gunicorn's own, as Gunicorn.values holds them."""


MAIN = "/etc/nginx/nginx.conf"


def files_of(place: Path) -> dict[str, str]:
    """A sample's texts by the path they would have on a host."""
    if place.is_file():
        return {MAIN: place.read_text()}
    found = sorted(path for path in place.rglob("*") if path.is_file())
    return {f"/etc/nginx/{path.relative_to(place)}": path.read_text() for path in found}


def sample(place: Path) -> Site:
    """The site that a sample describes."""
    return site_from(files_of(place))


def site_from(texts: dict[str, str]) -> Site:
    """The site of these files; `#: ` lines stand in the main one."""
    lines = [line[3:] for line in texts[MAIN].splitlines() if line.startswith("#: ")]
    return site_beside(parse(Texts(texts), MAIN), "\n".join(lines), texts)


def site_beside(root: Directive, toml: str, texts: Mapping[str, str] = MappingProxyType({})) -> Site:
    """A configuration with what these lines say beside it."""
    said = tomllib.loads(toml)
    host = replace(_host(said.get("host", {})), texts=texts)
    return site_of(root, str(said.get("nginx", "1.22.1")), _gunicorn(said), host)


def _gunicorn(said: dict[str, Any]) -> Gunicorn | None:
    if not {"gunicorn", "policy", "status"} & set(said):
        return None
    written = dict(said.get("gunicorn", {}))
    version = str(written.pop("version", "27.0.1"))
    values = DEFAULTS | written
    policy = {"mode": "active", "min_workers": 2, "max_workers": 16, "tick_seconds": 0.25} | said.get("policy", {})
    return Gunicorn(
        version=version,
        kind=KINDS.get(values["worker_class"], UNKNOWN),
        values=values,
        origins=dict.fromkeys(written, "gunicorn.conf.py"),
        policy=policy if "policy" in said or "status" in said else None,
        status=said.get("status"),
    )


def _host(said: dict[str, Any]) -> HostFacts:
    made = dict(said)
    if "sockets" in made:
        made["sockets"] = {path: SocketFile(**facts) if facts else None for path, facts in made["sockets"].items()}
    if "addresses" in made:
        made["addresses"] = {name: tuple(found) for name, found in made["addresses"].items()}
    if "test" in made:
        made["test"] = NginxTest(**made["test"])
    if "timing" in made:
        made["timing"] = Timing(**made["timing"])
    if "listening" in made:
        made["listening"] = frozenset(made["listening"])
    for name in ("own_addresses", "nginx_groups", "error_log"):
        if name in made:
            made[name] = tuple(made[name])
    return HostFacts(**made)
