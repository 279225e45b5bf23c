"""All that a rule may look at: nginx's configuration, Gunicorn's settings, and what the host knows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gunicorn_autotune.nginx.read.quantity import version_of
from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.site import defaults
from gunicorn_autotune.nginx.site.gunicorn import Bind, Gunicorn, binds
from gunicorn_autotune.nginx.site.host import HostFacts
from gunicorn_autotune.nginx.site.routes import Peer, Route, Upstream, routes
from gunicorn_autotune.nginx.site.scope import Scope, scopes

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Site:
    """One nginx configuration and the Gunicorn behind it."""

    root: Directive
    version: str
    """Of nginx, `1.22.1`; an assumed one where none is known."""
    gunicorn: Gunicorn | None
    host: HostFacts
    every_route: tuple[Route, ...]
    """All locations with a proxy_pass that names its target."""
    routes: tuple[Route, ...]
    """Those that lead to Gunicorn; all of them where none can be told from the others."""
    found: bool
    """Whether some route leads to one of Gunicorn's addresses."""
    routes_in: Mapping[int, tuple[Route, ...]]
    """Every route by `id` of its server block, for rules that ask it at each finding."""
    bare_servers: frozenset[int]
    """By `id` the server blocks with several routes that send no proxy_set_header, all of them Gunicorn's."""
    _ours: frozenset[int]

    def leads_to_gunicorn(self, route: Route) -> bool:
        """Whether it is one of `routes`."""
        return id(route) in self._ours

    @property
    def numbers(self) -> tuple[int, ...]:
        """nginx's version, (1, 22, 1)."""
        return version_of(self.version)

    @property
    def upstreams(self) -> tuple[Upstream, ...]:
        """Of Gunicorn's routes, each once."""
        return tuple({route.upstream.name: route.upstream for route in self.routes}.values())

    @property
    def main(self) -> Scope:
        """The scope outside of every block."""
        return Scope((self.root,), self.version)

    @property
    def servers(self) -> tuple[Scope, ...]:
        """The server blocks in which Gunicorn's routes lie."""
        return tuple(server for server, _ in self.by_server)

    @property
    def by_server(self) -> tuple[tuple[Scope, tuple[Route, ...]], ...]:
        """Those server blocks, each with its routes to Gunicorn."""
        return _by_server(self.routes)

    @property
    def nginx_workers(self) -> int | None:
        """worker_processes; None where `auto` stands for a number of CPUs that is not known here."""
        text = self.main.value("worker_processes").text
        return max(1, int(text)) if text.isdigit() else self.host.cpus if text == "auto" else None

    def beside(self, server: Scope | None) -> tuple[Route, ...]:
        """All routes of a server block, Gunicorn's and others."""
        return () if server is None else self.routes_in.get(id(server.here), ())

    def scopes(self, *names: str) -> Iterator[Scope]:
        """Every block of these names in the whole configuration; every block at all without a name."""
        return scopes(self.root, self.version, frozenset(names) if names else None)


def site_of(root: Directive, version: str, gunicorn: Gunicorn | None, host: HostFacts) -> Site:
    """Sort the routes; an unknown nginx version counts as Debian 12's."""
    version = version or defaults.ASSUMED
    every = tuple(routes(root, version))
    # Once for each upstream: thousands of locations may share one of thousands of servers.
    known = {id(route.upstream): route for route in every} if gunicorn else {}
    leading = {key for key, route in known.items() if gunicorn and leads_to(route, gunicorn, host)}
    ours = tuple(route for route in every if id(route.upstream) in leading)
    chosen = ours or every
    own = frozenset(map(id, chosen))
    routes_in = {id(server.here): found for server, found in _by_server(every)}
    bare = frozenset(server for server, beside in routes_in.items() if _bare(beside, own))
    return Site(root, version, gunicorn, host, every, chosen, bool(ours), routes_in, bare, own)


def _bare(beside: tuple[Route, ...], own: frozenset[int]) -> bool:
    bare = [id(route) for route in beside if not route.scope.all("proxy_set_header")]
    return len(bare) > 1 and own.issuperset(bare)


def _by_server(found: tuple[Route, ...]) -> tuple[tuple[Scope, tuple[Route, ...]], ...]:
    sorted_in: dict[int, tuple[Scope, list[Route]]] = {}
    for route in found:
        server = route.scope.server
        if server is not None:
            sorted_in.setdefault(id(server.here), (server, []))[1].append(route)
    return tuple((server, tuple(own)) for server, own in sorted_in.values())


def leads_to(route: Route, gunicorn: Gunicorn, host: HostFacts) -> bool:
    """Whether any server of this route is one of Gunicorn's addresses."""
    return any(is_gunicorn(peer, gunicorn, host) for peer in route.upstream.peers)


def is_gunicorn(peer: Peer, gunicorn: Gunicorn, host: HostFacts) -> bool:
    """Whether this server is one of Gunicorn's addresses."""
    return any(same(peer, bind, host) for bind in binds(gunicorn))


def same(peer: Peer, bind: Bind, host: HostFacts) -> bool:
    """Whether Gunicorn listens where a peer leads.

    A name that nobody here can resolve (`server web:8000` of a container) is taken for Gunicorn's by its port.
    """
    if bind.path:
        return bool(peer.path) and settled(bind.path) == settled(peer.path)
    if peer.path or peer.port != bind.port:
        return False
    reached = addresses_of(peer, host)
    if not reached or peer.host == bind.host:
        return True
    # 0.0.0.0 hears no IPv6, [::] hears both.
    heard = reached if bind.host == "::" else tuple(one for one in reached if ":" not in one)
    return bool(set(resolved(bind.host, host)) & set(reached)) or (bind.everywhere and local(heard, host))


def addresses_of(peer: Peer, host: HostFacts) -> tuple[str, ...]:
    """The addresses a peer's name stands for; () where it does not resolve here."""
    return resolved(peer.host, host)


def resolved(name: str, host: HostFacts) -> tuple[str, ...]:
    """The addresses of a name or address; () where it does not resolve here."""
    if re.fullmatch(r"[\d.]+|[\da-fA-F:.]*:[\da-fA-F:.]*", name):
        return (name,)
    known = host.addresses.get(name, ())
    return known or (("127.0.0.1", "::1") if name == "localhost" else ())


def local(reached: tuple[str, ...], host: HostFacts) -> bool:
    """Whether some of these addresses belong to this host; any does where its own are unknown."""
    if not host.own_addresses:
        return bool(reached)
    return any(one in LOOPBACK or one.startswith("127.") or one in host.own_addresses for one in reached)


def settled(path: str) -> str:
    """A socket's path as the kernel sees it, with the one alias that every distribution has: /var/run is /run."""
    path = re.sub("/+", "/", path)
    return path.removeprefix("/var") if path.startswith("/var/run/") else path


def on_this_host(site: Site, route: Route) -> bool:
    """Whether every server of a route is TCP on this host."""
    return all(_here(site, peer) for peer in route.upstream.peers)


def _here(site: Site, peer: Peer) -> bool:
    reached = addresses_of(peer, site.host)
    own = (one in LOOPBACK or one.startswith("127.") or one in site.host.own_addresses for one in reached)
    return not peer.path and bool(reached) and all(own)


def several_peers(site: Site, route: Route) -> bool:
    """Whether the upstream stands for more than one server; a name with two addresses is two."""
    return sum(max(1, len(addresses_of(peer, site.host))) for peer in route.upstream.peers) > 1
