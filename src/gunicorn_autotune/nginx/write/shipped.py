"""The folder `nginx/` of the repository: what `nginx render` gives for the usual cases, and which one to take."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gunicorn_autotune.nginx.site.gunicorn import SYNC, THREADED, Gunicorn
from gunicorn_autotune.nginx.write.options import Folder, Options
from gunicorn_autotune.nginx.write.render import render

SOCKET = "unix:/run/app/gunicorn.sock"
MAX_WORKERS, THREADS = 8, 4
_SITE = Options(
    nginx_workers=4,
    domains=("example.com",),
    static=(Folder("/static/", "/srv/app/static/"),),
    media=(Folder("/media/", "/srv/app/media/"),),
    streams=("/events/",),
    exporter="http://127.0.0.1:9877",
)


@dataclass(frozen=True, slots=True)
class Case:
    """One folder."""

    words: str
    """When to take it."""
    gunicorn: Gunicorn
    options: Options = _SITE


def _gunicorn(kind: str, bind: str) -> Gunicorn:
    values = {
        "backlog": 2048,
        "bind": [bind],
        "graceful_timeout": 30,
        "keepalive": 10,
        "limit_request_field_size": 8190,
        "limit_request_line": 4094,
        "threads": 1 if kind == SYNC else THREADS,
        "timeout": 30,
        "tls": False,
        "umask": 0,
        "worker_class": "sync" if kind == SYNC else "gthread",
    }
    return Gunicorn("27.0.1", kind, values, policy={"mode": "active", "max_workers": MAX_WORKERS})


_TLS = replace(_SITE, certificate="/etc/ssl/certs/app.pem", key="/etc/ssl/private/app.key")
_HOSTS = replace(_SITE, servers=("10.0.0.4:8000", "10.0.0.5:8000"), exporter="")
CASES = {
    "gthread-unix": Case("apps that wait for a database or other services; one host", _gunicorn(THREADED, SOCKET)),
    "gthread-tcp": Case("the same, nginx and Gunicorn share no folder", _gunicorn(THREADED, "127.0.0.1:8000")),
    "sync-unix": Case("apps that compute; one host", _gunicorn(SYNC, SOCKET)),
    "tls": Case("as gthread-unix, with https and a redirect from http", _gunicorn(THREADED, SOCKET), _TLS),
    "several-hosts": Case("Gunicorn on two hosts, nginx on a third", _gunicorn(THREADED, "0.0.0.0:8000"), _HOSTS),
}


def shipped() -> dict[str, str]:
    """File name below `nginx/` -> text."""
    files = {
        f"{folder}/{name}": text
        for folder, case in CASES.items()
        for name, text in render(case.gunicorn, case.options).items()
    }
    return {"README.md": _readme()} | files


def _readme() -> str:
    rows = "".join(f"| [{folder}](./{folder}/README.md) | {case.words} |\n" for folder, case in CASES.items())
    return README.format(rows=rows, nginx=_SITE.nginx_version, workers=_SITE.nginx_workers, most=MAX_WORKERS)


README = """\
# nginx files for Gunicorn

<!-- Written by `make docs` from src/gunicorn_autotune/nginx/write/shipped.py; a test holds it fresh. -->

Files made for your own Gunicorn, from its settings in force, fit better than these:

```console
$ gunicorn-autotune nginx render --config gunicorn.conf.py --domain example.com --static /srv/app/static
$ gunicorn-autotune nginx render --server 127.0.0.1:9877 --domain example.com --tls cert.pem key.pem
```

These are what it gives for the usual cases. Each folder has a README that says which file goes where, in which order,
and how to go back.

| take | for |
|---|---|
{rows}
They fit this `gunicorn.conf.py`, under a stock nginx.conf of nginx {nginx} with {workers} nginx workers:

```python
from gunicorn_autotune import install

bind = "unix:/run/app/gunicorn.sock"  # or "127.0.0.1:8000"
worker_class = "gthread"  # not in sync-unix
threads = 4
keepalive = 10
install(globals(), max_workers={most})
```

Change `example.com`, `/srv/app` and the certificate. From nginx 1.25.1 write `http2 on;` instead of `listen ... http2`;
before 1.19.10 replace `keepalive_time` by `keepalive_requests 100`. `nginx render --nginx-version` knows.

What is in a folder:

- **upstream**: TCP or a socket; connections are kept for less time than Gunicorn keeps them, and at most about 2 s, so
  that new workers get their share (`conf.d/app-http.conf`)
- **proxy**: every header the app and autotune want, none that a client may forge (`app/proxy.conf`)
- **server**: complete, with a default server that answers no other host (`conf.d/app-site.conf`, `app-unknown.conf`)
- **tuning, gzip, static and media, TLS, limits, errors and maintenance, streaming**: one file each in `app/`
- **timing log**: formats `autotune` and `autotune_json` (`conf.d/00-autotune.conf`)
- **metrics**: `/nginx_status` and autotune's exporter, for this host only (`conf.d/app-metrics.conf`)
"""
