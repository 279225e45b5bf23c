"""Where the exporter listens, parsed from what the operator wrote."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass

OFF, AUTO = "off", "auto"
AUTO_HOST, AUTO_PORTS = "127.0.0.1", range(9877, 9897)
"""`auto`: the first of these that nobody has, so that each of several servers on a host finds one."""
LEAVE_SIGNAL = signal.SIGALRM
"""From the arbiter alone. SIGTERM goes to every process of a unit or container: the server then begins to drain, and
its probes and metrics are wanted until it is gone."""
UNIX_PATH_BYTES = 107
"""sun_path of sockaddr_un (unix(7)) less its end mark."""
TCP = re.compile(r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<host>[^\[\]:/\s]*)):(?P<port>[0-9]{1,5})")
BARE_IPV6 = re.compile(r"[0-9a-fA-F]*(:[0-9a-fA-F.]*){2,}")


@dataclass(frozen=True, slots=True)
class Address:
    """A TCP host and port, or the path of a unix socket."""

    host: str = ""
    """Empty: every interface, IPv4 and IPv6."""
    port: int = 0
    """0: any free port."""
    path: str = ""
    """Not empty: a unix socket, host and port unused."""

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


LOOPBACK = re.compile(r"127(\.[0-9]{1,3}){3}|::1|localhost")


def is_private(address: Address) -> bool:
    """Whether only this host can reach it: loopback, or a unix socket."""
    return bool(address.path or LOOPBACK.fullmatch(address.host))


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the exporter's process is told at its start."""

    address: Address
    """What somebody wrote; with `others`, the first choice."""
    others: Callable[[], Iterable[Address]] | None = None
    """In this order, when `address` cannot be had. None: it was written, and is never changed."""
    patience_seconds: float = 0.0
    """How long `address` is waited for before `others`: this server had it before, and it is about to be free again."""
    predecessor_pid: int = 0
    """The old master of an upgrade: while it lives, `address` is waited for."""
    cert_file: str = ""
    key_file: str = ""
    bearer_token_file: str = ""
    multiprocess_directory: str = ""
    """PROMETHEUS_MULTIPROC_DIR: the app's own metrics, merged into /metrics; empty for none."""
    healthy_seconds: float = 30.0
    """How long ago the last tick may be for /-/healthy. A HUP holds the arbiter up for Gunicorn's graceful_timeout."""
    retry_seconds: float = 0.5
    """Pause after an address that could not be bound: after an upgrade the new exporter is there this soon after the
    old one, however long the two masters lived side by side. An attempt costs some 50 us."""


def _wrong(setting: str, value: str, rule: str) -> ValueError:
    return ValueError(f"autotune setting {setting} = {value!r}: {rule}")


def _unix(text: str, setting: str) -> Address:
    path = text.removeprefix("unix:")
    if path.startswith("//"):
        path = path[2:]
    if not path.startswith("/"):
        raise _wrong(setting, text, "a unix socket needs an absolute path, as unix:/run/gunicorn-metrics.sock")
    if len(path.encode()) > UNIX_PATH_BYTES:
        raise _wrong(setting, text, f"a unix socket path has at most {UNIX_PATH_BYTES} bytes")
    return Address(path=path)


def parse_address(text: str, setting: str = "metrics") -> Address:
    """`127.0.0.1:9877`, `[::1]:9877`, `:9877` (every interface) or `unix:/path`; a ValueError of one line otherwise."""
    text = text.strip()
    if text.startswith("unix:"):
        return _unix(text, setting)
    match = TCP.fullmatch(text)
    if match is None and BARE_IPV6.fullmatch(text):
        raise _wrong(setting, text, "an IPv6 address stands in brackets, as [::1]:9877")
    if match is None:
        raise _wrong(setting, text, "must be HOST:PORT, [IPV6]:PORT, :PORT, unix:/path, auto or off")
    port = int(match["port"])
    if port > 65535:
        raise _wrong(setting, text, "the port must be at most 65535")
    return Address(host=match["v6"] or match["host"] or "", port=port)


def check_setting(text: str) -> None:
    """A ValueError of one line unless `text` is a value for the setting `metrics`."""
    if text not in (OFF, AUTO):
        parse_address(text)


def first_choice(text: str) -> str:
    """Where an exporter with this setting listens if it can."""
    return f"{AUTO_HOST}:{AUTO_PORTS[0]}" if text == AUTO else text
