"""Where a server block listens, and who can get there."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from gunicorn_autotune.nginx.read.tree import Directive


@dataclass(frozen=True, slots=True)
class Listener:
    """One `listen`."""

    address: str
    """Without brackets; empty for every address, and for a UNIX socket."""
    port: int | None
    """None for a UNIX socket and for a range of ports."""
    unix: bool
    tls: bool

    @property
    def public(self) -> bool:
        """Whether strangers may get there: every address, or one that belongs to no private network."""
        if self.unix:
            return False
        try:
            address = ipaddress.ip_address(self.address or "0.0.0.0")
        except ValueError:
            return False
        return address.is_unspecified or address.is_global


def listeners(server: Directive) -> list[Listener]:
    """All of a server block; port 80 of every address where it says nothing (as root)."""
    ssl = server.child("ssl")
    tls = ssl is not None and ssl.args == ("on",)
    found = [_listener(line, tls) for line in server.children("listen") if line.args]
    return found or [Listener("", 80, unix=False, tls=tls)]


def _listener(line: Directive, tls: bool) -> Listener:
    word, tls = line.args[0], tls or bool({"ssl", "quic"} & set(line.args[1:]))
    if word.startswith("unix:"):
        return Listener("", None, unix=True, tls=tls)
    if re.fullmatch(r"[\d-]+", word):
        return Listener("", int(word) if word.isdigit() else None, unix=False, tls=tls)
    match = re.fullmatch(r"(?P<address>\[.*\]|[^:]*)(?::(?P<port>[\d-]+))?", word)
    if match is None:
        return Listener(word, None, unix=False, tls=tls)
    port = match["port"] or "80"
    address = match["address"].strip("[]").replace("*", "")
    return Listener(address, int(port) if port.isdigit() else None, unix=False, tls=tls)
