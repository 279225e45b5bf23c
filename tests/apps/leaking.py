"""A WSGI app for tests whose workers grow: each request keeps some memory for good."""

import os
import time

KEPT = []
KEPT_BYTES = int(os.environ.get("KEPT_BYTES", "300000"))
TAKES_SECONDS = float(os.environ.get("TAKES_SECONDS", "0.04"))


def app(environ, start_response):
    """Answer after a while, and keep."""
    time.sleep(TAKES_SECONDS)
    KEPT.append(bytearray(b"x") * KEPT_BYTES)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"kept\n"]
