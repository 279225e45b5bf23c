"""Where a configuration sends requests: names, which are resolved here in bounded time, and UNIX sockets."""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator

import psutil

from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.site.defaults import ASSUMED
from gunicorn_autotune.nginx.site.routes import Peer, routes, upstreams

RESOLVE_SECONDS = 1.5
"""For all names together."""
MOST_NAMES = 64
_NAME = re.compile(r"[\w.-]+")
Resolve = Callable[[str], tuple[str, ...]]


def peers(config: Directive) -> list[Peer]:
    """Every `server` of an upstream, and what `proxy_pass` names beside those."""
    named = [peer for upstream in upstreams(config).values() for peer in upstream.peers]
    passed = (route.upstream for route in routes(config, ASSUMED))
    return named + [peer for upstream in passed if upstream.block is None for peer in upstream.peers]


def socket_paths(peers: Iterable[Peer], bind: Iterable[str]) -> set[str]:
    """Paths of the UNIX sockets that nginx passes to and Gunicorn binds to; abstract ones have none."""
    paths = {peer.path for peer in peers} | {one.removeprefix("unix:") for one in bind if one.startswith("unix:")}
    return {path for path in paths if path.startswith("/")}


def host_names(peers: Iterable[Peer], bind: Iterable[str]) -> set[str]:
    """Names among the hosts that nginx passes to and Gunicorn binds to; addresses are none."""
    hosts = {peer.host for peer in peers} | {
        one.rpartition(":")[0] for one in bind if not one.startswith(("unix:", "fd:"))
    }
    return {host for host in hosts if _NAME.fullmatch(host) and not _is_address(host)}


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def resolve(name: str) -> tuple[str, ...]:
    """Its addresses as nginx asks for them at start (ngx_inet_resolve_host); an OSError when there are none."""
    flags = getattr(socket, "AI_ADDRCONFIG", 0)
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM, flags=flags)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def resolved(
    names: Iterable[str], seconds: float = RESOLVE_SECONDS, resolve: Resolve = resolve
) -> dict[str, tuple[str, ...]]:  # fmt: skip
    """The addresses of each name that is known within `seconds`; others are absent."""
    found: dict[str, tuple[str, ...]] = {}

    def look(name: str) -> None:
        # A name too long or empty is a UnicodeError.
        try:
            found[name] = resolve(name)
        except (OSError, UnicodeError):
            return

    # getaddrinfo(3) cannot be interrupted: daemons, so that the process may end before its resolver gives up.
    lookers = [threading.Thread(target=look, args=(name,), daemon=True) for name in sorted(names)[:MOST_NAMES]]
    end = time.monotonic() + seconds
    for looker in lookers:
        looker.start()
    for looker in lookers:
        looker.join(max(0.0, end - time.monotonic()))
    return dict(found)


def own_addresses() -> tuple[str, ...]:
    """Of all interfaces, IPv4 and IPv6, without scopes; empty where they cannot be read."""
    try:
        return tuple(sorted(set(_own())))
    except (OSError, psutil.Error):
        return ()


def _own() -> Iterator[str]:
    for entries in psutil.net_if_addrs().values():
        for entry in entries:
            if entry.family in (socket.AF_INET, socket.AF_INET6):
                yield entry.address.partition("%")[0]
