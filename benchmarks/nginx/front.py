"""A real nginx before one server or many, and the pairs of settings that are compared."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.demo_server import free_port, status_of
from benchmarks.faults import proxy
from benchmarks.faults.options import NotRunError
from benchmarks.faults.proxy import Proxy
from benchmarks.openloop import Target

READY_SECONDS = 30.0
SERVER = """
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    keepalive_requests 1000000;
    {locations}
  }}
}}
"""


@dataclass(frozen=True)
class Pair:
    """Two sides that are set together."""

    title: str
    gunicorn_keepalive: int
    pool: str
    """In nginx's upstream block; empty: connections are not kept."""
    next_upstream: str = ""
    """nginx's proxy_next_upstream; empty: its default, `error timeout`."""

    def told(self) -> str:
        """For people."""
        off = f" proxy_next_upstream {self.next_upstream};" if self.next_upstream else ""
        nginx = f"`{self.pool}{off}`" if self.pool else "keeps nothing"
        return f"gunicorn `keepalive = {self.gunicorn_keepalive}`, nginx {nginx}"


GUIDE = Pair("the guides' pair", 2, "keepalive 32;")
DEFAULTS = Pair("nginx's defaults", 75, "keepalive 32;")
OURS = Pair("ours", 10, proxy.POOL, "off")
"""`off`: GETs are not sent again behind the client's back, so that nothing is hidden."""
OFF = Pair("not kept", 10, "")


@dataclass(frozen=True)
class Site:
    """One server behind nginx."""

    name: str
    """Of its upstream, and of its path: `/name/`."""
    address: str
    """`unix:/path` or `127.0.0.1:8000`."""
    pair: Pair

    def target(self, front: Proxy) -> Target:
        """Where its clients go."""
        return Target(("127.0.0.1", front.server.port), f"/{self.name}/", f"127.0.0.1:{front.server.port}")


def nginx_lines(site: Site) -> tuple[str, str]:
    """(in `http`, in the location) of one server.

    Here and nowhere else: what users are given can take this place. Kept connections need an upstream block, HTTP/1.1
    and an empty Connection header; an address in proxy_pass is never kept, on any version.
    """
    retry = f"proxy_next_upstream {site.pair.next_upstream};" if site.pair.next_upstream else ""
    if not site.pair.pool:
        address = f"{site.address}:" if site.address.startswith("unix:") else site.address
        return "", f"proxy_pass http://{address}; {retry}"
    upstream = f"upstream {site.name} {{ server {site.address}; {site.pair.pool} }}"
    location = f'proxy_pass http://{site.name}; proxy_http_version 1.1; proxy_set_header Connection ""; {retry}'
    return upstream, location


def http_of(sites: Sequence[Site], port: int) -> str:
    """What stands in nginx's `http` block, to its end."""
    upstreams, locations = zip(*(nginx_lines(site) for site in sites), strict=True)
    stamp = 'proxy_set_header X-Request-Start "t=${msec}";'
    blocks = [f"location /{site.name}/ {{ {lines} {stamp} }}" for site, lines in zip(sites, locations, strict=True)]
    return "\n  ".join(upstreams) + SERVER.format(port=port, locations="\n    ".join(blocks))


@contextmanager
def nginx(folder: Path, sites: Sequence[Site]) -> Iterator[Proxy]:
    """Every site answers by the time this yields."""
    port = free_port()
    with proxy.running(folder, http_of(sites, port), port) as front:
        wait_for_sites(front, sites)
        (front.folder / "error.log").write_text("")  # of the time before the servers were up
        yield front


def wait_for_sites(front: Proxy, sites: Sequence[Site]) -> None:
    """Return when each has answered 200; NotRunError when one does not."""
    deadline = time.monotonic() + READY_SECONDS
    for site in sites:
        while not answers(front, site):
            if time.monotonic() > deadline or front.server.process.poll() is not None:
                raise NotRunError(f"{site.name} behind nginx does not answer:\n{front.server.log_tail(5)}")
            time.sleep(0.05)


def answers(front: Proxy, site: Site) -> bool:
    """Whether a GET gets its 200."""
    with suppress(OSError, ValueError):
        return status_of(front.server.port, f"/{site.name}/") == 200
    return False
