"""Idle clients should not take the connections of the busy ones.

Every client that stays connected holds one of `worker_connections` for `keepalive_timeout`, 75 s unless it is set; a
proxied request takes two. With 512 or 768 connections and 75 s, some ten new clients a second fill a worker with idle
ones. nginx then closes idle clients to make room ("worker_connections are not enough, reusing connections" in the
error log): nobody is refused (0 of 60 requests with 32 connections on 1.22.1), but clients that come back pay for a
new connection and a new TLS handshake, so the long time buys nothing.

Let idle clients go after 15 s and allow 4,096 connections; `worker_rlimit_nofile` must allow twice that (NGX603).

This is only a note; ignore it on a site with few visitors.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.read.quantity import seconds
from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared import capacity
from gunicorn_autotune.nginx.site.scope import Scope, Value
from gunicorn_autotune.nginx.site.site import Site

RULE = Rule("NGX108", Severity.INFO, "Idle clients leave enough connections for busy ones")
LONGEST_SECONDS, LEAST_CONNECTIONS, ENOUGH_CONNECTIONS = 30, 1024, 4096


def check(site: Site) -> Iterator[Finding]:
    """Once for each long client keepalive_timeout, if connections are few."""
    events = site.root.child("events")
    if events is None or not site.servers:
        return
    connections = Scope((site.root, events), site.version).value("worker_connections")
    if not connections.text.isdigit() or int(connections.text) >= LEAST_CONNECTIONS:
        return
    more, change = capacity.more_connections(site, ENOUGH_CONNECTIONS)
    for value in _long(site):
        yield at(
            RULE,
            value.directive or connections.directive or events,
            f"each idle client holds one of {connections.text} connections for up to {value.args[0]}",
            nginx=f"{value}, {connections}",
            fix=f"keepalive_timeout 15s;    # at the level of http or server\n{more}",
            edits=change,
        )


def _long(site: Site) -> list[Value]:
    """Client times above the limit, each line once. A second argument is only what the client is told."""
    found = {}
    for server in site.servers:
        value = server.value("keepalive_timeout")
        waits = seconds(value.args[0]) if value.args else None
        if waits is not None and waits > LONGEST_SECONDS:
            found[id(value.directive)] = value
    return list(found.values())
