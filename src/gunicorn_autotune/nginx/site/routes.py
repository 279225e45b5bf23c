"""Which locations lead to which servers: `proxy_pass` resolved through `upstream`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.site.scope import Scope, scopes

_URI = re.compile(r"/|(?=\$\{?(?:request_uri|uri|document_uri|is_args|args)\b)")
"""Where the target ends: at a slash, or at a variable that begins with one."""
_UNIX = re.compile(r"unix:(?P<path>[^:]+)(?::.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Peer:
    """One server that nginx passes requests to."""

    written: str
    """As in the file: `127.0.0.1:8000`, `unix:/run/shop/gunicorn.sock`."""
    host: str
    """Name or address without brackets; empty for a UNIX socket."""
    port: int | None
    path: str
    """Of the UNIX socket; empty for TCP."""
    directive: Directive
    """The `server`, or the `proxy_pass` without an upstream block."""

    @property
    def parameters(self) -> dict[str, str]:
        """`{"max_fails": "3", "backup": ""}` of a `server`."""
        words = self.directive.args[1:] if self.directive.name == "server" else ()
        pairs = (word.partition("=") for word in words)
        return {name: value for name, _, value in pairs}


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a `proxy_pass` leads."""

    name: str
    block: Directive | None
    """The `upstream` block; None for an address written into proxy_pass, which never keeps connections."""
    peers: tuple[Peer, ...]

    def value(self, name: str) -> Directive | None:
        """A directive of the block."""
        return self.block.child(name) if self.block else None


@dataclass(frozen=True, slots=True)
class Route:
    """One location (or `if`, or `limit_except`) with a proxy_pass."""

    scope: Scope
    proxy_pass: Directive
    scheme: str
    """http or https."""
    upstream: Upstream

    @property
    def location(self) -> str:
        """`location /api/`, for a message."""
        return " ".join((self.scope.here.name, *self.scope.here.args))


def upstreams(root: Directive) -> dict[str, Upstream]:
    """All `upstream` blocks by name in small letters: nginx tells `Shop` from `shop` nowhere (measured, 1.22.1)."""
    found = {}
    for http in root.children("http"):
        for block in http.children("upstream"):
            if block.args:
                peers = tuple(_peer(server.args[0], server) for server in block.children("server") if server.args)
                found[block.args[0].lower()] = Upstream(block.args[0], block, peers)
    return found


def routes(root: Directive, version: str) -> Iterator[Route]:
    """Every proxy_pass that names its target; one with a variable is left out, nobody can tell where it leads."""
    named = upstreams(root)
    for scope in scopes(root, version, frozenset({"location", "if", "limit_except"})):
        passed = scope.here.child("proxy_pass")
        if passed is not None and passed.args:
            route = _route(scope, passed, named)
            if route is not None:
                yield route


def _route(scope: Scope, passed: Directive, named: Mapping[str, Upstream]) -> Route | None:
    scheme, separator, rest = passed.args[0].partition("://")
    if not separator or scheme.lower() not in ("http", "https"):
        return None
    target = rest if rest.startswith("unix:") else _URI.split(rest, maxsplit=1)[0]
    if "$" in target or not target:
        return None
    upstream = named.get(target.lower()) or Upstream(target, None, (_peer(target, passed, scheme.lower()),))
    return Route(scope, passed, scheme.lower(), upstream)


def _peer(written: str, directive: Directive, scheme: str = "http") -> Peer:
    unix = _UNIX.fullmatch(written)
    if unix:
        return Peer(written, "", None, unix["path"], directive)
    match = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?", written)
    if match is None:
        return Peer(written, written, None, "", directive)
    port = int(match[2]) if match[2] else (443 if scheme == "https" else 80)
    return Peer(written, match[1].strip("[]"), port, "", directive)
