"""What a running server does, and why: one look at its exporter.

Exit codes: 0 the server is well; 1 it answers but is unhealthy or not ready; 2 nothing answers, or bad usage.
"""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

from gunicorn_autotune.cli.asking import Place, get
from gunicorn_autotune.cli.servers import add_server, find_server, token_of
from gunicorn_autotune.cli.status_page import page
from gunicorn_autotune.cli.style import CommandError, Style

HELP = "what a running server does, and why"
PROBES = {"healthy": "not healthy", "ready": "not ready"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--json", action="store_true", help="print /status.json unchanged")
    add_server(parser)


def run(options: argparse.Namespace, style: Style) -> tuple[int, str]:
    """Exit code and text."""
    token, place = token_of(options), find_server(options.server, os.environ).exporter()
    text = read_status(place, token)
    document = parse_document(place, text)
    unwell = [name for name in PROBES if document.get(name) is not True]
    if options.json:
        return int(bool(unwell)), text.rstrip("\n")
    trouble = [f"{PROBES[name]}: {get(place, '/-/' + name)[1].strip()}" for name in unwell]
    return int(bool(unwell)), page(document, style, trouble)


def read_status(place: Place, token: str) -> str:
    """/status.json; a CommandError when what answers is no exporter that lets us in."""
    code, text = get(place, "/status.json", token)
    if code == 401:
        what = "refuses this token" if token else "wants a bearer token"
        raise CommandError(f"{place} {what}: --token-file must name the file of metrics_bearer_token_file")
    if code not in (200, 503):
        raise CommandError(f"{place} answers {code} for /status.json: is this a gunicorn-autotune exporter?")
    return text


def parse_document(place: Place, text: str) -> dict[str, Any]:
    """The document, checked to be one."""
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict) or "healthy" not in document:
        raise CommandError(f"{place} answers, but not with a status document: {text.strip()[:60]!r}")
    return document
