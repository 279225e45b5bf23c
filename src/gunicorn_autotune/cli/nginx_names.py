"""Where a configuration sends requests: names, which are resolved here in bounded time, and UNIX sockets."""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator

import psutil

from gunicorn_autotune.nginx.tree import Directive

RESOLVE_SECONDS = 3.0
"""For all names together."""
MOST_NAMES = 64
_SCHEME = re.compile(r"^https?://")
_NAME = re.compile(r"[\w.-]+")
Resolve = Callable[[str], tuple[str, ...]]


def targets(config: Directive) -> set[str]:
    """`localhost:8000`, `unix:/run/x.sock`: every `server` of an upstream, and what `proxy_pass` names beside those."""
    upstreams = [block for block in config.walk() if block.name == "upstream" and block.args]
    names = {block.args[0] for block in upstreams}
    servers = {server.args[0] for block in upstreams for server in block.children("server") if server.args}
    passed = {_SCHEME.sub("", one.args[0]) for one in config.walk() if one.name == "proxy_pass" and one.args}
    return {target for target in servers | (passed - names) if "$" not in target and _host(target) not in names}


def socket_paths(addresses: Iterable[str]) -> set[str]:
    """Paths of UNIX sockets among targets and Gunicorn's `bind`; `unix:/run/x.sock:/uri/` without what follows."""
    return {one.removeprefix("unix:").partition(":")[0] for one in addresses if one.startswith("unix:/")}


def host_names(addresses: Iterable[str]) -> set[str]:
    """Names among targets and Gunicorn's `bind`, without ports; addresses are not names."""
    hosts = {_host(one) for one in addresses if not one.startswith(("unix:", "fd://"))}
    return {host for host in hosts if _NAME.fullmatch(host) and not _is_address(host)}


def _host(target: str) -> str:
    """`localhost` of `localhost:8000/uri`; an IPv6 address in brackets becomes bare."""
    place = target.partition("/")[0]
    bracketed = re.match(r"\[([^\]]*)\]", place)
    return bracketed[1] if bracketed else place.partition(":")[0]


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
