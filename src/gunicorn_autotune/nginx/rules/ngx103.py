"""Timeouts should be chosen, not left to nginx.

Unless they are written, nginx waits 60 s for a connection to Gunicorn, 60 s between two writes and 60 s between two
reads, and keeps idle clients for 75 s. These are guesses for any server in the world. Nobody who reads the file at
night can tell whether 60 s was meant, and a `timeout` raised on Gunicorn's side stops short at them (NGX101).

Write the four lines once, at the level of `server`: connect 5 s (Gunicorn is near: longer means its queue is full),
read and send as Gunicorn's side allows, idle clients 15 s. They are times of silence, not of a whole answer.

Information only. Ignore it if the defaults are what you want.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.places import added
from gunicorn_autotune.nginx.routes import Route
from gunicorn_autotune.nginx.scope import Scope, Value
from gunicorn_autotune.nginx.site import Site
from gunicorn_autotune.nginx.timeouts import read_seconds

RULE = Rule("NGX103", Severity.INFO, "Timeouts are chosen, not left to nginx's defaults")


def check(site: Site) -> Iterator[Finding]:
    """Each server with a timeout of Gunicorn's locations left to the default."""
    seconds = read_seconds(site.gunicorn)
    wanted = {
        "proxy_connect_timeout": "5s",
        "proxy_send_timeout": f"{seconds}s",
        "proxy_read_timeout": f"{seconds}s",
        "keepalive_timeout": "15s",
    }
    for server in site.servers:
        own = [route for route in site.routes if route.scope.server == server]
        left = [value for name in wanted if (value := _left(name, server, own)) is not None]
        if left:
            lines = "\n".join(f"{value.name} {wanted[value.name]};" for value in left)
            yield at(
                RULE,
                server.here,
                f"nobody chose {', '.join(f'{value.name} ({value.text})' for value in left)}",
                nginx=f"default{'s' * (len(left) > 1)} of nginx {site.version}",
                gunicorn=site.gunicorn.shown("timeout") if site.gunicorn is not None else "",
                fix=lines,
                edits=added([(server.here, lines)]),
            )


def _left(name: str, server: Scope, routes: list[Route]) -> Value | None:
    """The default, where it is in force in some route; keepalive_timeout is the client's, of the server."""
    values = [server.value(name)] if name == "keepalive_timeout" else [route.scope.value(name) for route in routes]
    return next((value for value in values if value.directive is None), None)
