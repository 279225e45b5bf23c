"""nginx should serve style sheets, scripts and pictures, not the workers.

A page needs one answer of the application and a dozen files. Where those go through Gunicorn, each of them takes a
place that a request of the application then waits for, and Python opens and copies what nginx hands to the kernel with
`sendfile`: one nginx worker served **118,000 to 127,000** files of 4 kB a second from its disk, where a trivial
Gunicorn application behind the same nginx answers 5,000 to 12,000 requests (2 cores, client on the same host).

Give `/static/` a location with `alias`, and a slash at the end of both (NGX502). Flask: the folder is `static_folder`
and the path `static_url_path`, `/static/` unless changed; Django: `STATIC_ROOT` after `collectstatic`, and
`MEDIA_ROOT` at `MEDIA_URL`. nginx's user must be able to enter every folder on the way.

A warning where a location for static files leads to Gunicorn. Where a server has no location with files at all it is
only mentioned, because nobody can tell from here whether the application has any. Ignore it where there are none (an
API), where a CDN keeps them, or where WhiteNoise serves few enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.site.locations import (
    for_static,
    for_uploads,
    locations_of,
    pattern_of,
    serves_files,
    takes_everything,
)
from gunicorn_autotune.nginx.site.routes import Route
from gunicorn_autotune.nginx.site.scope import Scope
from gunicorn_autotune.nginx.site.site import Site

RULE = Rule("NGX501", Severity.WARNING, "Static files are served by nginx")

_DYNAMIC = re.compile(r"(?i)/(api|v\d+|upload|file|auth|private|protected)(/|$)")


def check(site: Site) -> Iterator[Finding]:
    """Locations for files that ask Gunicorn; servers without any location that serves files."""
    for server, own in site.by_server:
        here = [route for route in own if route.scope.value("proxy_cache").text in ("", "off")]
        for_files = [route for route in here if route.scope.here.name == "location" and _for_files(route)]
        for route in for_files:
            yield at(
                RULE,
                route.scope.here,
                f"{route.location} gets files from Gunicorn: each one takes a worker's time, and nginx could serve it",
                nginx=route.proxy_pass.text,
                fix=_fix(site, pattern_of(route.scope.here)[1]),
            )
        if not for_files and any(takes_everything(route.scope.here) for route in here) and not _serves(site, server):
            yield at(
                RULE,
                server.here,
                "every request of this server goes to Gunicorn, files included: nginx itself serves no folder here",
                severity=Severity.INFO,
                fix=_fix(site, "/static/"),
            )


def _for_files(route: Route) -> bool:
    """By its name; not where uploads arrive, nor under an API: those are answers of the application."""
    place, path = route.scope.here, pattern_of(route.scope.here)[1]
    receives = {"client_max_body_size", "proxy_request_buffering"} & {child.name for child in place.block or ()}
    if receives or _DYNAMIC.search(path):
        return False
    return for_static(place) or for_uploads(place)


def _serves(site: Site, server: Scope) -> bool:
    """Whether files come from somewhere here, or the server's name says that there are none."""
    if any(name.startswith("api.") for line in server.all("server_name") for name in line.args):
        return True
    if any(one.name == "if" and "-f" in "".join(one.args) for one in server.here.walk()):
        return True
    places = (scope for scope in locations_of(server) if serves_files(scope))
    return any(pattern_of(scope.here)[0] != "=" and "/." not in pattern_of(scope.here)[1] for scope in places)


def _fix(site: Site, written: str) -> str:
    path = written if written.startswith("/") else "/static/"
    path = f"{path.rstrip('/')}/"
    folder = str(site.gunicorn.get("chdir") or "") if site.gunicorn else ""
    place = f"{folder.rstrip('/')}{path}" if folder.startswith("/") else f"/srv/app{path}"
    return f"location {path} {{\n    alias {place};    # the application's folder, with the slash\n    expires 1d;\n}}"
