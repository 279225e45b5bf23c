"""A WSGI app for tests whose workers are large from the start."""

import os
import time

BALLAST = bytearray(b"x") * int(os.environ.get("BALLAST_BYTES", "30000000"))


def app(environ, start_response):
    """Answer with the worker's pid: at once, or after the seconds that the query is."""
    time.sleep(float(environ["QUERY_STRING"] or 0))
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
