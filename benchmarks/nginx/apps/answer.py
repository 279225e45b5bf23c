"""A few bytes of JSON after a wait; `/die` notes that it ran and kills its worker.

Told by the environment: SITE_WAIT_SECONDS a request, SITE_DEATHS the file that grows a byte with each `/die`.
"""

import os
import signal
import time

WAIT_SECONDS = float(os.environ.get("SITE_WAIT_SECONDS", "0"))
DEATHS = os.environ.get("SITE_DEATHS", "")
BODY = b'{"status": "ok", "n": 1}'
HEADERS = [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))]


def app(environ, start_response):
    """200; 400 for a body that came short."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    whole = len(environ["wsgi.input"].read(length)) == length
    if environ["PATH_INFO"].endswith("/die"):
        with open(DEATHS, "ab") as file:
            file.write(b"x")
        os.kill(os.getpid(), signal.SIGKILL)
    if WAIT_SECONDS:
        time.sleep(WAIT_SECONDS)
    start_response("200 OK" if whole else "400 Bad Request", HEADERS)
    return [BODY]
