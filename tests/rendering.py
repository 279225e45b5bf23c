"""Words of the tests of `nginx render`: Gunicorns, and options with places of this host."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from gunicorn_autotune.nginx.site.gunicorn import CONCURRENT, SYNC, THREADED, Gunicorn
from gunicorn_autotune.nginx.write.options import Folder, Options

CLASSES = {SYNC: "sync", THREADED: "gthread", CONCURRENT: "gevent"}
VALUES = {
    "backlog": 2048,
    "bind": ["127.0.0.1:8000"],
    "chdir": "/srv/shop",
    "graceful_timeout": 30,
    "keepalive": 10,
    "limit_request_field_size": 8190,
    "limit_request_line": 4094,
    "threads": 4,
    "timeout": 30,
    "tls": False,
    "umask": 0,
    "worker_connections": 1000,
    "workers": 1,
}


def a_gunicorn(kind: str = THREADED, version: str = "27.0.1", max_workers: int | None = 8, **values: Any) -> Gunicorn:
    """One that autotune sizes up to `max_workers`; None: without autotune."""
    policy = {"mode": "active", "max_workers": max_workers} if max_workers else None
    return Gunicorn(version, kind, VALUES | {"worker_class": CLASSES.get(kind, kind)} | values, policy=policy)


FULL = Options(
    name="shop",
    domains=("example.com", "www.example.com"),
    static=(Folder("/static/", "/srv/shop/static/"),),
    media=(Folder("/media/", "/srv/shop/media/"),),
    streams=("/events/",),
    exporter="http://127.0.0.1:9877",
    rate=20,
)
"""Everything but TLS."""


def at(folder: Path, options: Options, **changes: Any) -> Options:
    """The options with `folder` in place of /etc/nginx and /var/log/nginx."""
    return replace(options, nginx_dir=str(folder), log_dir=str(folder / "log"), **changes)
