"""Asking a running server's exporter: one GET over TCP, TLS or a UNIX socket. No proxy from the environment is used."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from urllib.parse import urlsplit

from gunicorn_autotune.cli.style import CommandError
from gunicorn_autotune.exporter.address import Address, parse_address

TIMEOUT_SECONDS = 5.0
"""Without a byte."""
ANSWER_SECONDS = 15.0
"""For the whole answer: whoever sends a byte now and then must not hold us."""
LARGEST_ANSWER_BYTES = 64 << 20
THREAD = "autotune-ask"
LONGEST_TOKEN_BYTES = 16 << 10
PAGE = re.compile("/(status.json|metrics)$")
_ANY_HOST = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
"""A server that listens on every interface is asked on loopback."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an exporter answers."""

    address: Address
    tls: bool = False
    folder: str = ""
    """Path in front of /status.json, for an exporter behind a proxy."""
    named_by: str = "--server"
    """What names another place, for an error."""

    def __str__(self) -> str:
        if self.address.path:
            return str(self.address)
        return f"{'https' if self.tls else 'http'}://{self.address}{self.folder}"


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def parse_place(text: str, source: str) -> Place:
    """`http://host:port`, `https://host:port`, `host:port` or `unix:/path`; `source` is named when it is none."""
    if text.strip() == "off":
        raise CommandError(f"{source} = 'off': no exporter runs there; --server names another server")
    try:
        return _from_url(text.strip()) if "://" in text else _from_address(parse_address(text))
    except ValueError:
        rule = "must be http://HOST:PORT, HOST:PORT or unix:/path"
        raise CommandError(f"{source} = {text!r}: {rule}") from None


def _from_address(address: Address) -> Place:
    if not address.path and not address.port:
        raise ValueError("port 0 is any port")
    return Place(Address(_ANY_HOST.get(address.host, address.host), address.port, address.path))


def _from_url(text: str) -> Place:
    parts = urlsplit(text)
    if parts.scheme == "unix":
        return _from_address(parse_address(text))
    if parts.scheme not in ("http", "https") or parts.query or parts.fragment or parts.username or parts.port == 0:
        raise ValueError(text)
    host = _ANY_HOST.get(parts.hostname or "", parts.hostname or "")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Place(Address(host, port), parts.scheme == "https", PAGE.sub("", parts.path).rstrip("/"))


def read_token(path: str) -> str:
    """The first line of a token file."""
    try:
        with Path(path).open("rb") as file:
            token = file.read(LONGEST_TOKEN_BYTES).decode("latin-1").partition("\n")[0].strip()
    except OSError as error:
        raise CommandError(f"--token-file = {path!r}: {error.strerror}") from None
    if not token:
        raise CommandError(f"--token-file = {path!r}: the first line must be the token, it is empty")
    return token


def get(place: Place, page: str, token: str = "") -> tuple[int, str]:
    """Status code and text of a page; a CommandError of one line when nothing answers there, or not in time."""
    answer: SimpleQueue[tuple[int, str] | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            answer.put(_get(place, page, token))
        except Exception as error:
            answer.put(error)

    # A thread that can be left behind: a timeout of the socket begins again with each byte, and a name has none.
    threading.Thread(target=ask, name=THREAD, daemon=True).start()
    try:
        found = answer.get(timeout=ANSWER_SECONDS)
    except Empty:
        raise CommandError(f"{place} has not answered within {ANSWER_SECONDS:g} s") from None
    if isinstance(found, Exception):
        raise found
    return found


def _get(place: Place, page: str, token: str) -> tuple[int, str]:
    connection = _connection(place)
    try:
        connection.request("GET", place.folder + page, headers={"Authorization": f"Bearer {token}"} if token else {})
        with connection.getresponse() as response:
            return response.status, response.read(LARGEST_ANSWER_BYTES).decode("utf-8", "replace")
    except ssl.SSLError as error:
        raise CommandError(
            f"{place}: TLS failed ({error.reason or error}); SSL_CERT_FILE names a CA to trust"
        ) from None
    except OSError as error:
        raise CommandError(
            f"nothing answers at {place} ({error.strerror or error}): is Gunicorn running, with autotune's `metrics` "
            f"setting at this address? Another one: {place.named_by}"
        ) from None
    except (http.client.HTTPException, ValueError):
        raise CommandError(f"{place} answers, but does not speak HTTP; what is its `metrics` setting?") from None
    finally:
        connection.close()


def _connection(place: Place) -> http.client.HTTPConnection:
    address = place.address
    if address.path:
        return _UnixConnection(address.path)
    if place.tls:
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(address.host, address.port, timeout=TIMEOUT_SECONDS, context=context)
    return http.client.HTTPConnection(address.host, address.port, timeout=TIMEOUT_SECONDS)
