"""The least app there is, so that what surrounds it is the largest share of a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

HEADERS = [("Content-Type", "text/plain"), ("Content-Length", "6")]


def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """hello, to everyone."""
    start_response("200 OK", HEADERS)
    return [b"hello\n"]
