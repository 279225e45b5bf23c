"""Timeouts should be chosen, not left to nginx.

Unless they are written, nginx waits 60 s for a connection to Gunicorn, 60 s between two writes and 60 s between two
reads, and keeps idle clients for 75 s. These are guesses for any server in the world. Nobody who reads the file at
night can tell whether 60 s was meant, and a `timeout` raised on Gunicorn's side stops short at them (NGX101).

Write the four lines once, at the level of `server`: connect 5 s (Gunicorn is near: longer means its queue is full),
read and send as Gunicorn's side allows, idle clients 15 s. They are times of silence, not of a whole answer.

This is only a note; connecting to this very host is NGX106's. Ignore it if the defaults are what you want.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared.places import Place, added, places
from gunicorn_autotune.nginx.rules.shared.timeouts import limit_shown, read_seconds
from gunicorn_autotune.nginx.site.scope import Scope, Value
from gunicorn_autotune.nginx.site.site import Site, on_this_host
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX103", Severity.INFO, "Timeouts are chosen, not left to nginx's defaults")
Left = tuple[Value, str, edits.Edits]
"""A default in force, the time to write, and where."""


def check(site: Site) -> Iterator[Finding]:
    """Each server with a timeout of Gunicorn's locations left to the default."""
    seconds = f"{read_seconds(site.gunicorn)}s"
    wanted = {"proxy_connect_timeout": "5s", "proxy_send_timeout": seconds, "proxy_read_timeout": seconds}
    left: dict[int, list[Left]] = {}
    for name, time in wanted.items():
        for place in _on_default(site, name):
            server = place.routes[0].scope.server or place.routes[0].scope
            left.setdefault(id(server.here), []).append((place.value, time, place.written(f"{name} {time};")))
    for server in site.servers:
        found, idle = left.get(id(server.here), []), server.value("keepalive_timeout")
        if idle.directive is None:
            found = [*found, (idle, "15s", added([(server.here, "keepalive_timeout 15s;")]))]
        if found:
            yield _finding(site, server, found)


def _on_default(site: Site, name: str) -> list[Place]:
    connects = name == "proxy_connect_timeout"
    routes = [route for route in site.routes if not connects or not on_this_host(site, route)]
    return [place for place in places(site, name, routes) if place.value.directive is None]


def _finding(site: Site, server: Scope, left: list[Left]) -> Finding:
    return at(
        RULE,
        server.here,
        f"left to nginx's defaults: {', '.join(f'{value.name} ({value.text})' for value, _, _ in left)}",
        nginx=f"default{'s' * (len(left) > 1)} of nginx {site.version}",
        gunicorn=limit_shown(site.gunicorn),
        fix="\n".join(f"{value.name} {time};" for value, time, _ in left),
        edits=tuple(edit for _, _, made in left for edit in made),
    )
