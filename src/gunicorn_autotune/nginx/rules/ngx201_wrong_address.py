"""nginx must pass requests to the address where Gunicorn listens.

`bind` of Gunicorn and `server` (or `proxy_pass`) of nginx are two lines in two files that must name one address.
Where they differ every request gets **502**, and nginx's error log says `connect() failed (111: Connection refused)`,
for a UNIX socket `(2: No such file or directory)`.

Write the address of `bind` into nginx's file. Spelling does not matter: `localhost:8000` and `127.0.0.1:8000` are one
address, and so are `/var/run` and `/run`. Remember where Gunicorn's value comes from: `-b` on the command line beats
the configuration file, and a systemd `gunicorn.socket` beats both.

It is only a warning where something that no file tells may join the two: a `bind` that nobody wrote, a port that a
container publishes under another number, a socket in a shared volume, something else that listens where nginx points (a
cache, an authenticating proxy); then no patch proposes it. A `proxy_pass` with a variable in its target keeps the rule
silent. Ignore it in the configuration of an nginx that is not in front of this Gunicorn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity, at
from gunicorn_autotune.nginx.site.gunicorn import Bind, Gunicorn, binds
from gunicorn_autotune.nginx.site.routes import Peer
from gunicorn_autotune.nginx.site.site import LOOPBACK, Site, addresses_of, is_gunicorn
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX201", Severity.ERROR, "nginx passes requests to where Gunicorn listens", frozenset({Need.GUNICORN}))
_WAYS = frozenset({"proxy_pass", "grpc_pass", "uwsgi_pass"})


def check(site: Site) -> Iterator[Finding]:
    """One finding for the whole site: no server of any location is one of Gunicorn's addresses, or none can be."""
    gunicorn = site.gunicorn
    own = binds(gunicorn) if gunicorn else ()
    if gunicorn is None or not own:
        return
    if site.found:
        yield from _deaf(site, gunicorn, own)
    elif not site.routes and not _elsewhere(site, own):
        yield from _nothing(site, gunicorn, own)
    elif not _elsewhere(site, own):
        yield from _missed(site, gunicorn, own)


def _missed(site: Site, gunicorn: Gunicorn, own: Sequence[Bind]) -> Iterator[Finding]:
    listens = ", ".join(bind.text for bind in own)
    peers = list({peer.directive.place: peer for route in site.routes for peer in route.upstream.peers}.values())
    written = list(dict.fromkeys(peer.written for peer in peers))
    if peers:
        severity = _severity(site, gunicorn, peers, own)
        changes = (edit for peer in peers for edit in edits.replaced(peer.directive, _line(peer, own[0])))
        yield at(
            RULE,
            peers[0].directive,
            f"nginx passes requests to {', '.join(written)}, but Gunicorn listens at {listens}: every request gets 502",
            severity=severity,
            nginx=peers[0].directive.shown,
            gunicorn=gunicorn.shown("bind"),
            fix=_line(peers[0], own[0]),
            edits=tuple(changes) if len(written) == 1 and severity is Severity.ERROR else (),
        )


def _elsewhere(site: Site, own: Sequence[Bind]) -> bool:
    """Whether Gunicorn may be reached in a way that the locations do not tell, or on a host that is not this one."""
    known = {id(route.proxy_pass) for route in site.every_route}
    if any(one.name in _WAYS and id(one) not in known for one in site.root.walk()):
        return True
    ports = {bind.port for bind in own if bind.everywhere}
    peers = (peer for upstream in site.upstreams for peer in upstream.peers)
    return any(peer.port in ports and not peer.path and not _here(site, peer) for peer in peers)


def _here(site: Site, peer: Peer) -> bool:
    own = {"127.0.0.1", "::1", *site.host.own_addresses}
    return any(one in own for one in addresses_of(peer, site.host))


def _deaf(site: Site, gunicorn: Gunicorn, own: Sequence[Bind]) -> Iterator[Finding]:
    """A name that no file here explains, as of another container, and a Gunicorn that hears its own host only."""
    inner = all(bind.path or bind.host in LOOPBACK for bind in own) and "bind" in gunicorn.origins
    peers = [peer for upstream in site.upstreams for peer in upstream.peers if is_gunicorn(peer, gunicorn, site.host)]
    if inner and all(not peer.path and not addresses_of(peer, site.host) for peer in peers):
        port = peers[0].port
        yield at(
            RULE,
            peers[0].directive,
            f"nginx reaches Gunicorn by the name {peers[0].host}, and Gunicorn listens for its own host only: "
            "refused where these are two hosts or two containers",
            severity=Severity.WARNING,
            nginx=peers[0].directive.shown,
            gunicorn=gunicorn.shown("bind"),
            fix=f'bind = "0.0.0.0:{port}"    # in Gunicorn\'s configuration file; publish no port of that container',
        )


def _nothing(site: Site, gunicorn: Gunicorn, own: Sequence[Bind]) -> Iterator[Finding]:
    http, listens = site.root.child("http"), ", ".join(bind.text for bind in own)
    if http is not None:
        yield at(
            RULE,
            http,
            f"no location here has a proxy_pass, and Gunicorn listens at {listens}: is the site's file included?",
            severity=Severity.WARNING,
            gunicorn=gunicorn.shown("bind"),
            fix=f"location / {{\n    proxy_pass http://{own[0].reachable_text};\n}}",
        )


def _severity(site: Site, gunicorn: Gunicorn, peers: Sequence[Peer], own: Sequence[Bind]) -> Severity:
    inherited = "bind" not in gunicorn.origins
    published = any(bind.everywhere for bind in own) and any(not peer.path for peer in peers)
    somebody = any(site.host.sockets.get(peer.path) for peer in peers)
    somebody = somebody or any(peer.port in (site.host.listening or ()) and _here(site, peer) for peer in peers)
    several = len(site.upstreams) > 1
    return Severity.WARNING if inherited or published or somebody or several else Severity.ERROR


def _line(peer: Peer, bind: Bind) -> str:
    """The line that names the server, with the address that Gunicorn has."""
    words = peer.directive.args
    if peer.directive.name == "server":
        return f"server {' '.join((bind.reachable_text, *words[1:]))};"
    scheme, _, target = words[0].partition("://")
    uri = target[len(f"unix:{peer.path}" if peer.path else peer.written) :].removeprefix(":")
    if bind.path and uri:
        uri = f":{uri}"
    return f"proxy_pass {scheme}://{bind.reachable_text}{uri};"
