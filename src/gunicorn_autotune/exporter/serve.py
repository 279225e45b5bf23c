"""The exporter's life: ignore the terminal's signals, listen (trying again for ever), answer, leave with the parent."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from gunicorn_autotune.exporter import listen
from gunicorn_autotune.exporter.address import LEAVE_SIGNAL, Address, Settings, is_private, parse_address
from gunicorn_autotune.exporter.credentials import Certificate
from gunicorn_autotune.exporter.place import Place, Places
from gunicorn_autotune.exporter.rows import Source
from gunicorn_autotune.exporter.server import Server

__all__ = ["Settings", "Source", "parse_address", "run"]

IGNORED_SIGNALS = (
    signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2,
)  # fmt: skip
"""They go to a whole process group or unit and mean the arbiter."""
ADVICE = "'set metrics_bearer_token_file, or bind 127.0.0.1 or unix:/path'"
NAP_SECONDS = 0.2


@dataclass(slots=True)
class _Life:
    """Whether to go on: until the arbiter tells us to leave, or until it is gone."""

    parent_alive: Callable[[], bool]
    ended: bool = False
    listener: socket.socket | None = None

    def end(self, _signal: int, _frame: object) -> None:
        self.ended = True
        if self.listener is not None:
            # Wakes whoever waits for a connection: nobody who stops the server waits for us.
            with contextlib.suppress(OSError):
                self.listener.shutdown(socket.SHUT_RDWR)

    def goes_on(self) -> bool:
        return not self.ended and self.parent_alive()

    def nap(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self.goes_on() and time.monotonic() < until:
            time.sleep(NAP_SECONDS)


def run(
    source: Source, settings: Settings, tell: Callable[[str], None], parent_alive: Callable[[], bool],
    listening: Callable[[Address, str], None] = lambda address, url: None,
) -> None:  # fmt: skip
    """Serve until LEAVE_SIGNAL or the parent's end, then return. Call it from the main thread of its own process.

    An address that is taken, a certificate that is not there yet: told once, tried again until it works. `listening`
    hears the address that was had, and its URL.
    """
    life = _Life(parent_alive)
    for number in IGNORED_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(LEAVE_SIGNAL, life.end)
    certificate = Certificate(settings.cert_file, settings.key_file, tell) if settings.cert_file else None
    place = _place(settings, certificate, tell, life)
    if place is None:
        return
    life.listener = place.listener
    own_file = listen.identity(place.listener)
    with Server(place.listener, source, settings, certificate, tell) as server:
        url = listen.url(place.address, place.listener, certificate is not None)
        listening(place.address, url)
        instead = f' instead_of={settings.address} error="{place.why_not_first}"' if place.why_not_first else ""
        tell(f"exporter listening address={url}{instead}")
        if not is_private(place.address) and server.token is None:
            tell(f"exporter: open to the network without a token address={place.address} advice={ADVICE}")
        server.serve_while(life.goes_on)
    listen.remove_own(own_file)


def _place(
    settings: Settings, certificate: Certificate | None, tell: Callable[[str], None], life: _Life
) -> Place | None:  # fmt: skip
    """Where to listen, None when our time ended before a place could be had."""
    told, places = "", Places(settings, time.monotonic())
    while life.goes_on():
        try:
            if certificate is not None:
                certificate.context()
            return places.take(time.monotonic())
        except OSError as error:
            if str(error) != told:
                tell(f'exporter: cannot listen address={settings.address} error="{places.why_not(error)}" retrying')
            told = str(error)
        life.nap(settings.retry_seconds)
    return None
