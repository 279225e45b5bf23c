"""What a running server does, and why: one look at its exporter.

Exit codes: 0 the server is well; 1 it answers but is unhealthy or not ready; 2 nothing answers, or bad usage.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from typing import Any

from gunicorn_autotune.cli.asking import Place, get, parse_place, read_token
from gunicorn_autotune.cli.status_page import page
from gunicorn_autotune.cli.style import CommandError, Style
from gunicorn_autotune.exporter.address import Address, first_choice
from gunicorn_autotune.model.environment import ENVIRONMENT_PREFIX
from gunicorn_autotune.model.policy import Policy

HELP = "what a running server does, and why"
METRICS = ENVIRONMENT_PREFIX + "METRICS"
PROBES = {"healthy": "not healthy", "ready": "not ready"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--json", action="store_true", help="print /status.json unchanged")
    add_place(parser)


def add_place(parser: argparse.ArgumentParser) -> None:
    """The options that say which server is asked, and with which token."""
    place = parser.add_mutually_exclusive_group()
    place.add_argument(
        "--url", help=f"the exporter: http://HOST:PORT or HOST:PORT (default: {METRICS}, else {Policy().metrics})"
    )
    place.add_argument("--socket", metavar="PATH", help="the exporter's UNIX socket")
    add_token(parser)


def add_token(parser: argparse.ArgumentParser) -> None:
    """The option that names the exporter's bearer token."""
    parser.add_argument(
        "--token-file", metavar="PATH", default=os.environ.get(METRICS + "_BEARER_TOKEN_FILE", ""),
        help=f"file with the bearer token in its first line (default: {METRICS}_BEARER_TOKEN_FILE)",
    )  # fmt: skip


def run(options: argparse.Namespace, style: Style) -> tuple[int, str]:
    """Exit code and text."""
    place = place_of(options.url, options.socket, os.environ)
    token = read_token(options.token_file) if options.token_file else ""
    text = read_status(place, token)
    document = parse_document(place, text)
    unwell = [name for name in PROBES if document.get(name) is not True]
    if options.json:
        return int(bool(unwell)), text.rstrip("\n")
    trouble = [f"{PROBES[name]}: {get(place, '/-/' + name)[1].strip()}" for name in unwell]
    return int(bool(unwell)), page(document, style, trouble)


def place_of(url: str | None, path: str | None, environment: Mapping[str, str]) -> Place:
    """Where to ask: the option, else GUNICORN_AUTOTUNE_METRICS, else the default address."""
    if path is not None:
        if not path.removeprefix("unix:").startswith("/"):
            path = os.path.abspath(path)  # noqa: PTH100 (Path.resolve() would follow links)
        return Place(Address(path=path.removeprefix("unix:")))
    if url is not None:
        return parse_place(url, "--url")
    place = parse_place(first_choice(environment.get(METRICS) or Policy().metrics), METRICS)
    return Place(place.address, tls=bool(environment.get(METRICS + "_CERT_FILE")) and not place.address.path)


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
