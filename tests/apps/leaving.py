"""The plain app, but `/?how=` ends the worker: os._exit or a crash. Gunicorn's loop survives sys.exit in a request."""

import os
import signal
from urllib.parse import parse_qs

import plain

WAYS = {
    "os_exit_1": lambda: os._exit(1),
    "os_exit_0": lambda: os._exit(0),
    "segv": lambda: os.kill(os.getpid(), signal.SIGSEGV),
}


def app(environ, start_response):
    """Answer one request, or leave."""
    how = parse_qs(environ["QUERY_STRING"]).get("how", [""])[0]
    if how:
        WAYS[how]()
    return plain.app(environ, start_response)
