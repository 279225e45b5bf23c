"""What the exporter tells of a running server."""

from __future__ import annotations

import json
import urllib.request
from typing import Any


def status(metrics_port: int) -> dict[str, Any]:
    """/status.json."""
    document: dict[str, Any] = json.loads(get(metrics_port, "/status.json"))
    return document


def worker_pids(metrics_port: int) -> list[int]:
    """Pids of all workers."""
    return [int(one["pid"]) for one in status(metrics_port)["workers"]]


def get(port: int, path: str) -> bytes:
    """The body of one GET."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        body: bytes = answer.read()
    return body
