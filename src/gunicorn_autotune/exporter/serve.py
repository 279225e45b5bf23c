"""The exporter's life: ignore the terminal's signals, listen (trying again for ever), answer, leave with the parent."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from gunicorn_autotune.exporter import listen
from gunicorn_autotune.exporter.address import Settings, is_private, parse_address
from gunicorn_autotune.exporter.credentials import Certificate
from gunicorn_autotune.exporter.rows import Source
from gunicorn_autotune.exporter.server import Server

__all__ = ["Settings", "Source", "parse_address", "run"]

IGNORED_SIGNALS = (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
"""They go to the whole foreground process group and mean the arbiter."""
ADVICE = "'set metrics_bearer_token_file, or bind 127.0.0.1 or unix:/path'"
NAP_SECONDS = 0.2


@dataclass(slots=True)
class _Life:
    """Whether to go on: until SIGTERM, or until the parent is gone."""

    parent_alive: Callable[[], bool]
    ended: bool = False

    def end(self, _signal: int, _frame: object) -> None:
        self.ended = True

    def goes_on(self) -> bool:
        return not self.ended and self.parent_alive()

    def nap(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self.goes_on() and time.monotonic() < until:
            time.sleep(NAP_SECONDS)


def run(source: Source, settings: Settings, tell: Callable[[str], None], parent_alive: Callable[[], bool]) -> None:
    """Serve until SIGTERM or the parent's end, then return. Call it from the main thread of its own process.

    An address that is taken, a certificate that is not there yet: told once, tried again until it works.
    """
    life = _Life(parent_alive)
    for number in IGNORED_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, life.end)
    certificate = Certificate(settings.cert_file, settings.key_file) if settings.cert_file else None
    listener = _listener(settings, certificate, tell, life)
    if listener is None:
        return
    own_file = listen.identity(listener)
    with Server(listener, source, settings, certificate, tell) as server:
        tell(f"exporter listening address={listen.url(settings.address, listener, certificate is not None)}")
        if not is_private(settings.address) and server.token is None:
            tell(f"exporter: open to the network without a token address={settings.address} advice={ADVICE}")
        server.serve_while(life.goes_on)
    listen.remove_own(own_file)


def _listener(
    settings: Settings, certificate: Certificate | None, tell: Callable[[str], None], life: _Life
) -> socket.socket | None:
    """The listening socket, None when our time ended before it could be had."""
    told = ""
    while life.goes_on():
        try:
            if certificate is not None:
                certificate.context()
            return listen.listen(settings.address)
        except OSError as error:
            why = (error.strerror or str(error)).partition(" (while")[0]
            if why != told:
                tell(f'exporter: cannot listen address={settings.address} error="{why}" retrying')
            told = why
        life.nap(settings.retry_seconds)
    return None
