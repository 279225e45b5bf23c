"""What will be sent, where to and when: decided, and bounded, before the first request."""

from __future__ import annotations

import ipaddress
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

MAX_REQUESTS = 500_000
MAX_SECONDS = 3_600


class RefusedError(ValueError):
    """The load asked for is not one this generator makes; the message is one line for the operator."""


@dataclass(frozen=True)
class Target:
    """Where requests go: a loopback address with a port, or the path of a unix socket."""

    address: tuple[str, int] | str
    path: str = "/"
    host_header: str = "localhost"

    def __post_init__(self) -> None:
        """Refuse everything that is not this host, and whatever could not stand in a request line."""
        if not isinstance(self.address, str) and not is_loopback(self.address[0]):
            raise RefusedError(f"target host = {self.address[0]}, must be in 127.0.0.0/8, ::1 or a unix socket")
        if not re.fullmatch(r"/[!-~]*", self.path):
            raise RefusedError(f"target path = {ascii(self.path)[1:-1]}, must be printable ASCII that starts with /")

    def __str__(self) -> str:
        """The target as one would type it."""
        if isinstance(self.address, str):
            return f"unix:{self.address}:{self.path}"
        return f"http://{self.host_header}{self.path}"


@dataclass(frozen=True)
class Phase:
    """So many requests a second for so many seconds; a rate of 0 is a pause."""

    rate: float
    seconds: float


def is_loopback(host: str) -> bool:
    """Whether the host is written as an address in 127.0.0.0/8 or ::1; names are not looked up."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address in ipaddress.ip_network("127.0.0.0/8" if address.version == 4 else "::1/128")


def parse_target(text: str) -> Target:
    """`http://127.0.0.1:8000/io?ms=100`, `unix:/run/site.sock` or `unix:/run/site.sock:/io?ms=100`."""
    if text.startswith("unix:"):
        socket_path, _, path = text.removeprefix("unix:").partition(":")
        if not socket_path:
            raise RefusedError(f"target = {text}, must name a socket: unix:/path")
        return Target(socket_path, path or "/")
    try:
        url = urlsplit(text)
        host, port = url.hostname or "", url.port or 80
    except ValueError as error:
        raise RefusedError(f"target = {text}, {error}") from None
    if url.scheme != "http":
        raise RefusedError(f"target = {text}, must start with http:// or unix:")
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    return Target((host, port), path, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")


def parse_phases(text: str) -> tuple[Phase, ...]:
    """`10:5,150:10` is 10 requests a second for 5 s, then 150 for 10 s."""
    phases = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?):([0-9]+(?:\.[0-9]+)?)\s*", part)
        if not match:
            raise RefusedError(f"rate = {part}, must be RATE:SECONDS, such as 150:10")
        phases.append(Phase(float(match[1]), float(match[2])))
    return tuple(phases)


def schedule(phases: Sequence[Phase], poisson: bool = False, seed: int = 1) -> list[float]:
    """The moments to send at, in seconds from the start: evenly spaced, or with exponential gaps from the seed."""
    seconds = sum(phase.seconds for phase in phases)
    if not 0 < seconds <= MAX_SECONDS:
        raise RefusedError(f"rate lasts {seconds:g} s, must be more than 0 and at most {MAX_SECONDS}")
    if any(phase.rate < 0 or phase.seconds < 0 for phase in phases):
        raise RefusedError("rate and seconds must not be negative")
    expected = sum(phase.rate * phase.seconds for phase in phases)
    # Refused before anything is built; twice the bound leaves room for chance, the exact count is checked below.
    if expected > MAX_REQUESTS * 2:
        raise RefusedError(f"rate asks for {expected:.0f} requests, must be at most {MAX_REQUESTS}")
    chance = random.Random(seed)
    moments: list[float] = []
    began = 0.0
    for phase in phases:
        gaps = random_moments(phase, chance) if poisson else even_moments(phase)
        moments += [began + moment for moment in gaps]
        began += phase.seconds
    if not 0 < len(moments) <= MAX_REQUESTS:
        raise RefusedError(f"rate asks for {len(moments)} requests, must be from 1 to {MAX_REQUESTS}")
    return moments


def even_moments(phase: Phase) -> Iterator[float]:
    """One request at the start of each 1/rate seconds."""
    return (i / phase.rate for i in range(round(phase.rate * phase.seconds)))


def random_moments(phase: Phase, chance: random.Random) -> Iterator[float]:
    """A Poisson process of the phase's rate, cut at the phase's end."""
    at = chance.expovariate(phase.rate) if phase.rate else phase.seconds
    while at < phase.seconds:
        yield at
        at += chance.expovariate(phase.rate)
