"""Whether Gunicorn believes what nginx says: `forwarded_allow_ips` against the address that it sees nginx coming from.

Source: gunicorn.http.message (`_ip_in_allow_list`, `_peer_is_trusted_proxy`); UNIX sockets are always trusted.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from gunicorn_autotune.nginx.site.gunicorn import Gunicorn, bind_of, binds
from gunicorn_autotune.nginx.site.host import HostFacts
from gunicorn_autotune.nginx.site.routes import Peer, Route
from gunicorn_autotune.nginx.site.site import addresses_of, is_gunicorn, same

ANY = "*"


def believed(route: Route, gunicorn: Gunicorn, host: HostFacts) -> bool | None:
    """Whether Gunicorn takes headers from this route's nginx; None where nobody here can tell."""
    answers = {
        _believes(gunicorn, peer, seen_as(route, peer, gunicorn, host))
        for peer in route.upstream.peers
        if is_gunicorn(peer, gunicorn, host)
    }
    return answers.pop() if len(answers) == 1 else None


def seen_as(route: Route, peer: Peer, gunicorn: Gunicorn, host: HostFacts) -> tuple[str, ...]:
    """Addresses that nginx may come from, as Gunicorn's log shows them; () where that is unknown, as for UNIX sockets.

    A request to this host comes from the address it goes to. One over IPv4 to `[::]` shows as `::ffff:127.0.0.1`.
    """
    if peer.path:
        return ()
    bound = route.scope.value("proxy_bind").args
    if bound and bound[0] != "off":
        source = None if "$" in bound[0] else bind_of(bound[0])
        return (source.host,) if source else ()
    reached = addresses_of(peer, host)
    came = [source for one in reached for source in _sources(one, host)]
    # [::] hears IPv4 as well, and shows such an address inside an IPv6 one.
    mapped = any(bind.host == "::" and same(peer, bind, host) for bind in binds(gunicorn))
    return tuple(dict.fromkeys(f"::ffff:{one}" if mapped and ":" not in one else one for one in came))


def trusted(allowed: Iterable[object], address: str) -> bool:
    """Whether `forwarded_allow_ips` holds an address, alone or in a network."""
    entries = [str(entry) for entry in allowed]
    return ANY in entries or any(_holds(entry, address) for entry in entries)


def _believes(gunicorn: Gunicorn, peer: Peer, sources: tuple[str, ...]) -> bool | None:
    allowed = gunicorn.get("forwarded_allow_ips", ())
    if peer.path or ANY in allowed:
        return True
    answers = {trusted(allowed, source) for source in sources}
    return answers.pop() if len(answers) == 1 else None


def _sources(address: str, host: HostFacts) -> tuple[str, ...]:
    if address.startswith("127."):
        return ("127.0.0.1",)
    if address == "::1" or address in host.own_addresses:
        return (address,)
    six = ":" in address
    return tuple(one for one in host.own_addresses if not is_loopback(one) and (":" in one) == six)


def is_loopback(address: str) -> bool:
    """Whether only the host itself can come from this address."""
    return address.startswith("127.") or address == "::1"


def _holds(entry: str, address: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
