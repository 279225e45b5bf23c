"""Files that may change while we run: the bearer token and the TLS certificate."""

from __future__ import annotations

import hmac
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock


def _stamp(path: str) -> tuple[int, int, int]:
    status = Path(path).stat()
    return status.st_mtime_ns, status.st_ino, status.st_size


@dataclass(slots=True)
class BearerToken:
    """The token in the first line of a file, read again whenever the file changes."""

    path: str
    _stamp: tuple[int, int, int] | None = None
    _token: bytes = b""
    _lock: Lock = field(default_factory=Lock)

    def read(self) -> bytes:
        """The token now; OSError when the file cannot be read, ValueError when it holds none."""
        with self._lock:
            stamp = _stamp(self.path)
            if stamp != self._stamp:
                with open(self.path, "rb") as file:
                    self._token = file.readline(4096).strip()
                self._stamp = stamp
            if not self._token:
                raise ValueError("the first line is empty")
            return self._token

    def admits(self, authorization: str) -> bool:
        """Whether an Authorization header presents the token; the comparison takes the same time for any guess."""
        scheme, _, presented = authorization.partition(" ")
        same = hmac.compare_digest(presented.strip().encode("latin-1", "replace"), self.read())
        return scheme.lower() == "bearer" and same


@dataclass(slots=True)
class Certificate:
    """A server context that takes up a renewed certificate for the connections that follow.

    Files that are half renewed, or missing for a moment, leave the old one in force: told when it begins.
    """

    cert_file: str
    key_file: str
    tell: Callable[[str], None]
    _stamps: tuple[tuple[int, int, int], ...] = ()
    _context: ssl.SSLContext = field(default_factory=lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    _told: str = ""
    _lock: Lock = field(default_factory=Lock)

    def context(self) -> ssl.SSLContext:
        """The context now; OSError when the files cannot be used and never could."""
        with self._lock:
            try:
                stamps = (_stamp(self.cert_file), _stamp(self.key_file))
                if stamps != self._stamps:
                    self._context = self._loaded()
                    self._stamps = stamps
                self._told = ""
            except OSError as error:
                if not self._stamps:
                    raise
                self._complain(str(error))
            return self._context

    def _loaded(self) -> ssl.SSLContext:
        fresh = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # A key with a passphrase is an error, not a question on the arbiter's terminal.
        fresh.load_cert_chain(self.cert_file, self.key_file, password=lambda: b"")
        return fresh

    def _complain(self, error: str) -> None:
        if error != self._told:
            self._told = error
            self.tell(f"exporter: certificate or key cannot be read, the old one stays in force error={error!r}")
