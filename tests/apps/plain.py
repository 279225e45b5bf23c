"""A WSGI app for tests: `/` answers at once, `/sleep?s=` waits, `/spin?s=` burns CPU, `/pid` tells the worker."""

import os
import time
from urllib.parse import parse_qs


def _spin(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def app(environ, start_response):
    """Answer one request."""
    path = environ["PATH_INFO"]
    seconds = float(parse_qs(environ["QUERY_STRING"]).get("s", ["0"])[0])
    status, body = "200 OK", b"hello\n"
    if path == "/sleep":
        time.sleep(seconds)
    elif path == "/spin":
        _spin(seconds)
    elif path == "/pid":
        body = str(os.getpid()).encode()
    elif path == "/fail":
        raise RuntimeError("this page fails on purpose")
    elif path == "/missing":
        status = "404 Not Found"
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
