"""Which address the exporter takes.

One that somebody wrote is never changed: it is tried again until it can be had. With `metrics = "auto"` it is the first
that nobody has. What this server had before comes first, and is waited for: a restarted exporter finds it free in a
moment, and the new master of an upgrade when the old one has left.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from gunicorn_autotune.exporter import holder, listen
from gunicorn_autotune.exporter.address import Address, Settings
from gunicorn_autotune.exporter.children import is_alive


@dataclass(frozen=True, slots=True)
class Place:
    """Where the exporter listens."""

    listener: socket.socket
    address: Address
    why_not_first: str = ""
    """What kept us from the first choice; empty when this is it."""


class Places:
    """The choice, made anew at each try; times are monotonic seconds."""

    def __init__(self, settings: Settings, now: float) -> None:
        self._settings = settings
        self._waiting_since = now

    def take(self, now: float) -> Place:
        """A listener at the best address that can be had; the OSError of the first choice when none can."""
        try:
            return Place(listen.listen(self._settings.address), self._settings.address)
        except OSError as error:
            for address in self._others(now):
                with contextlib.suppress(OSError):
                    return Place(listen.listen(address), address, self.why_not(error))
            raise

    def why_not(self, error: OSError) -> str:
        """What keeps us from the first choice, and who, where that can be found."""
        why = (error.strerror or str(error)).partition(" (while")[0]
        who = holder.who(self._settings.address) if error.errno == errno.EADDRINUSE else ""
        return why + (f", by {who}" if who else "")

    def _others(self, now: float) -> Iterable[Address]:
        if is_alive(self._settings.predecessor_pid):
            self._waiting_since = now
        waited = now - self._waiting_since >= self._settings.patience_seconds
        return self._settings.others() if self._settings.others is not None and waited else ()
