"""Replace workers of a running server, one after the other, each replacement before its worker leaves.

The command goes through the arbiter's command socket, which only root and the server's user may use.
Exit codes: 0 queued (with --wait: done); 1 refused; 2 nothing answers, not done in time, or bad usage.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from gunicorn_autotune.cli.commanding import send_command
from gunicorn_autotune.cli.servers import add_server, find_server, token_of
from gunicorn_autotune.cli.status import parse_document, read_status
from gunicorn_autotune.cli.style import CommandError, Style

HELP = "replace workers, one after the other"
LOOK_SECONDS = 0.25
NOT_DONE = 2


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--all", action="store_true", help="every worker")
    which.add_argument("--slot", action="append", type=int, metavar="N", help="the worker in this slot; repeatable")
    add_server(parser)
    parser.add_argument("--json", action="store_true", help="print the server's reply")
    parser.add_argument("--wait", type=_seconds, metavar="SECONDS", help="until the workers are gone, at most so long")


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < 1e6:
        raise ValueError(text)
    return seconds


def run(options: argparse.Namespace, style: Style) -> tuple[int, str]:
    """Exit code and text."""
    token, server = token_of(options), find_server(options.server, os.environ)

    def look() -> dict[str, Any]:
        place = server.exporter()
        return parse_document(place, read_status(place, token))

    path = server.command_socket or _told_path(look())
    if options.wait:
        server.exporter()  # refused before anything is done
    reply = send_command(path, {"command": "recycle", "slots": "all" if options.all else options.slot})
    pids = [pid for pid in reply.get("pids", ()) if type(pid) is int]
    left = wait_until_gone(pids, look, options.wait) if options.wait else pids
    done = {"left": left} if options.wait else {}
    return NOT_DONE if options.wait and left else 0, json.dumps(reply | done) if options.json else _text(reply, done)


def _told_path(document: dict[str, Any]) -> str:
    """The command socket of the server whose document this is."""
    server = document.get("server")
    told = server.get("command_socket") if isinstance(server, dict) else None
    if not isinstance(told, str) or not told.startswith("/"):
        raise CommandError(
            "this server has no command socket: its setting command_socket is off, or its log says why it cannot listen"
        )
    return told


def wait_until_gone(pids: list[int], look: Callable[[], dict[str, Any]], seconds: float) -> list[int]:
    """Follow /status.json until none of `pids` is a worker any more; the ones left when the time is over."""
    deadline = time.monotonic() + seconds
    left, before = pids, len(pids) + 1
    while left:
        left = _still_there(left, look)
        if len(left) < before:
            before = len(left)
            print(f"recycle: {len(pids) - before} of {len(pids)} workers replaced", file=sys.stderr, flush=True)
        if not left or time.monotonic() >= deadline:
            break
        time.sleep(min(LOOK_SECONDS, max(0.0, deadline - time.monotonic())))
    return left


def _still_there(pids: list[int], look: Callable[[], dict[str, Any]]) -> list[int]:
    """The exporter may be away for a moment: then nothing is known to be gone."""
    try:
        workers = look().get("workers", ())
    except CommandError:
        return pids
    present = {worker.get("pid") for worker in workers}
    return [pid for pid in pids if pid in present]


def _text(reply: dict[str, Any], done: dict[str, list[int]]) -> str:
    slots = ", ".join(map(str, reply.get("slots", ())))
    noun = "slot" if len(reply.get("slots", ())) == 1 else "slots"
    if not done:
        paused = "; the server is paused, they wait until it is active again" if reply.get("mode") == "paused" else ""
        return f"queued: the workers of {noun} {slots}{paused}"
    left = done["left"]
    return f"not done in time: pids {', '.join(map(str, left))} are still there" if left else f"done: {noun} {slots}"
