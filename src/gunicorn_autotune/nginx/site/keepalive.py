"""Whether connections to Gunicorn are kept, for how long, and if not, why not.

Sources: ngx_http_upstream_keepalive_module.c, ngx_http_proxy_module.c; measured by version in docs/nginx.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from gunicorn_autotune.nginx.read.quantity import version_of
from gunicorn_autotune.nginx.site import defaults
from gunicorn_autotune.nginx.site.routes import Route, Upstream
from gunicorn_autotune.nginx.site.scope import Scope, Value

BALANCERS = frozenset({"least_conn", "ip_hash", "hash", "random", "least_time"})
_DEFAULTS = {"keepalive_timeout": "60s", "keepalive_time": "1h"}


@dataclass(frozen=True, slots=True)
class Kept:
    """Kept connections of one route."""

    connections: int
    """Idle ones that each nginx worker keeps at most; 0 where none is kept."""
    declared: Value
    """The `keepalive` line, or the default since 1.29.7."""
    why_not: str = ""
    """Why a declared keepalive has no effect at this location; empty where it has one, or none is declared."""

    @property
    def in_force(self) -> bool:
        """Whether this location's requests go over kept connections."""
        return self.connections > 0 and not self.why_not


def kept(route: Route) -> Kept:
    """What happens to the connections of this route after an answer."""
    declared = declared_keepalive(route.upstream, route.scope.version)
    connections = int(declared.args[0]) if declared.args and declared.args[0].isdigit() else 0
    return Kept(connections, declared, _why_not(route, declared) if connections else "")


def declared_keepalive(upstream: Upstream, version: str) -> Value:
    """The `keepalive` of an upstream; without arguments where nothing is kept."""
    line = upstream.value("keepalive")
    if line is not None:
        return Value("keepalive", line.args, line.place, line)
    by_default = upstream.block is not None and numbers(version) >= defaults.KEPT_BY_DEFAULT
    return Value("keepalive", ("32", "local") if by_default else (), f"default of nginx {version}")


def idle_timeout(upstream: Upstream, version: str) -> Value:
    """How long nginx keeps an idle connection to Gunicorn: keepalive_timeout of the upstream, 60 s unless set.

    No arguments before 1.15.3, which has no such limit.
    """
    if numbers(version) < defaults.UPSTREAM_TIMEOUT:
        return Value("keepalive_timeout", (), f"unknown to nginx {version}")
    return _of_upstream(upstream, "keepalive_timeout", version)


def lifetime(upstream: Upstream, version: str) -> Value:
    """How long a busy connection lives: keepalive_time, 1 h unless set; no arguments before 1.19.10."""
    if numbers(version) < defaults.KEEPALIVE_TIME:
        return Value("keepalive_time", (), f"unknown to nginx {version}")
    return _of_upstream(upstream, "keepalive_time", version)


def requests_each(upstream: Upstream, version: str) -> Value:
    """Requests a connection carries before it is closed: keepalive_requests of the upstream."""
    return _of_upstream(upstream, "keepalive_requests", version)


def _of_upstream(upstream: Upstream, name: str, version: str) -> Value:
    line = upstream.value(name)
    if line is not None:
        return Value(name, line.args, line.place, line)
    args = (_DEFAULTS[name],) if name in _DEFAULTS else defaults.of(name, version)
    return Value(name, args, f"default of nginx {version}")


def numbers(version: str) -> tuple[int, ...]:
    """nginx's version; Debian 12's where it is unknown."""
    return version_of(version) or version_of(defaults.ASSUMED)


def _why_not(route: Route, declared: Value) -> str:
    scope, version = route.scope, numbers(route.scope.version)
    spoken = scope.value("proxy_http_version")
    if spoken.text == "1.0":
        return f"it needs HTTP/1.1, and {spoken} is in force"
    connection = connection_header(scope)
    if connection.text.lower() == "close":
        return f"the Connection header sent is close, by {connection.origin}"
    balancer = late_balancer(route.upstream)
    if balancer is not None and declared.directive is not None and version < defaults.KEPT_BY_DEFAULT:
        return f"{balancer} stands after it and replaces it"
    return ""


def late_balancer(upstream: Upstream) -> Value | None:
    """A balancing method written after `keepalive`: up to 1.29.6 it replaces keepalive, and nginx only warns."""
    names = [child.name for child in upstream.block.block or ()] if upstream.block else []
    if "keepalive" not in names or upstream.block is None or upstream.block.block is None:
        return None
    for child in upstream.block.block[names.index("keepalive") :]:
        if child.name in BALANCERS:
            return Value(child.name, child.args, child.place, child)
    return None


def connection_header(scope: Scope) -> Value:
    """What nginx sends as Connection: `close` unless the header is set, since 1.29.7 nothing.

    A variable made by a `map` counts with the value that an ordinary request gets (no Upgrade header).
    """
    written = scope.header("Connection")
    if written is None:
        implied = "" if numbers(scope.version) >= defaults.KEPT_BY_DEFAULT else "close"
        return Value("Connection", (implied,), f"default of nginx {scope.version}")
    sent = written.args[1]
    if sent.startswith("$"):
        sent = _mapped(scope, sent)
    return Value("Connection", (sent,), written.origin, written.directive)


def _mapped(scope: Scope, variable: str) -> str:
    name = variable.strip("${}")
    if name == "http_upgrade":
        return ""
    for http in scope.blocks[0].children("http"):
        for table in http.children("map"):
            if len(table.args) == 2 and table.args[1].strip("${}") == name:
                chosen = {row.name: row.args[0] for row in table.block or () if row.args}
                return chosen.get("", chosen.get("default", ""))
    return variable
