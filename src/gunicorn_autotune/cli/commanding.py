"""Commanding a running server: one datagram to its command socket, one back."""

from __future__ import annotations

import contextlib
import json
import socket
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gunicorn_autotune.cli.style import CommandError
from gunicorn_autotune.model.commands import WRITTEN_PLACE
from gunicorn_autotune.model.printable import printable

TIMEOUT_SECONDS = 10.0
"""A reload may hold the arbiter up for a moment; it looks at its socket four times a second."""
LARGEST_REPLY_BYTES = 1 << 20
REFUSED = 1


def send_command(path: str, command: Mapping[str, Any], seconds: float = TIMEOUT_SECONDS) -> dict[str, Any]:
    """The server's reply; a CommandError of one line when there is none, or when it refuses (exit code 1)."""
    reply = _parsed(path, _exchange(path, json.dumps(command).encode(), seconds))
    if reply.get("ok") is not True:
        raise CommandError(f"refused: {printable(str(reply.get('error', 'no reason given')))}", REFUSED)
    return reply


def _exchange(path: str, data: bytes, seconds: float) -> bytes:
    try:
        with own_socket() as own:
            own.settimeout(seconds)
            own.connect(path)
            own.send(data)
            return own.recv(LARGEST_REPLY_BYTES)
    except TimeoutError:
        raise CommandError(f"no reply from {path} within {seconds:g} s: is the arbiter held up? see its log") from None
    except PermissionError:
        owner = f"uid {Path(path).stat().st_uid} (its owner)" if Path(path).exists() else "its owner"
        raise CommandError(f"refused: {path} takes commands of root and {owner} alone", REFUSED) from None
    except FileNotFoundError:
        raise CommandError(_not_here(path)) from None
    except OSError as error:
        raise CommandError(
            f"nothing takes commands at {path} ({error.strerror or error}): is that server running, on this host?"
        ) from None


def _not_here(path: str) -> str:
    """A server that told this path sees it, and we do not: a service with PrivateTmp has a /tmp of its own."""
    if not path.startswith(("/tmp/", "/var/tmp/")):
        return f"there is no {path}: is that server running, on this host?"
    return (
        f"there is no {path} here: that server is gone, or it has a /tmp of its own (PrivateTmp= in its unit, a "
        f"container), and then needs {WRITTEN_PLACE}"
    )


@contextlib.contextmanager
def own_socket() -> Iterator[socket.socket]:
    """A datagram socket with an address that can be answered: Linux gives an abstract one, else it is a file."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own, contextlib.ExitStack() as stack:
        try:
            own.bind("")
        except OSError:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="gunicorn-autotune-"))
            own.bind(f"{folder}/reply.sock")
        yield own


def _parsed(path: str, data: bytes) -> dict[str, Any]:
    try:
        reply = json.loads(data)
    except ValueError:
        reply = None
    if not isinstance(reply, dict):
        raise CommandError(f"{path} answers, but not as an arbiter of gunicorn-autotune does")
    return reply
