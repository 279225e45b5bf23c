"""A WSGI app for tests whose workers share a pool of four: loaded once, before the fork (preload_app)."""

import multiprocessing
import time

POOL = multiprocessing.BoundedSemaphore(4)
HELD_SECONDS = 0.05


def app(environ, start_response):
    """Answer when one of the four was free and has been held: 80 a second, however many workers."""
    with POOL:
        time.sleep(HELD_SECONDS)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"done\n"]
