"""Where Gunicorn listens: its `bind`, read as Gunicorn reads it (gunicorn.util.parse_address)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gunicorn_autotune.nginx.gunicorn import Gunicorn

EVERY_ADDRESS = frozenset({"0.0.0.0", "::", "*"})
_DEFAULT_PORT = 8000


@dataclass(frozen=True, slots=True)
class Bind:
    """One address of Gunicorn."""

    host: str
    """Name or address without brackets; empty for a UNIX socket."""
    port: int
    """0 for a UNIX socket."""
    path: str = ""
    """Of the UNIX socket; empty for TCP."""

    @property
    def text(self) -> str:
        """`127.0.0.1:8000`, `unix:/run/shop.sock`: as nginx writes it too."""
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def everywhere(self) -> bool:
        """Whether it listens at every address of its host."""
        return self.host in EVERY_ADDRESS

    @property
    def reachable_text(self) -> str:
        """What nginx on the same host connects to."""
        host = {"0.0.0.0": "127.0.0.1", "*": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return Bind(host, self.port, self.path).text


def binds(gunicorn: Gunicorn) -> tuple[Bind, ...]:
    """All of Gunicorn's addresses; without inherited sockets (`fd://3`), which tell nothing."""
    found = (bind_of(written, str(gunicorn.get("chdir") or "")) for written in gunicorn.get("bind", ()))
    return tuple(one for one in found if one is not None)


def bind_of(written: str, chdir: str = "") -> Bind | None:
    """One `bind`; a relative socket starts from `chdir`. None for a file descriptor and for what is none."""
    unix = re.match(r"unix:(//)?", written)
    if unix:
        path = written[unix.end() :]
        relative = chdir and not path.startswith(("/", "@"))
        return Bind("", 0, f"{chdir.rstrip('/')}/{path.removeprefix('./')}" if relative else path)
    address = written.removeprefix("tcp://")
    match = re.fullmatch(r"(\[[^\]]*\]|[^:/]*)(?::(\d{1,5}))?", address)
    if match is None:
        return None
    return Bind(match[1].strip("[]").lower() or "0.0.0.0", int(match[2] or _DEFAULT_PORT))
