"""The app of the leak and of the recycles: waits as for a database, keeps memory if told, notes what it has begun.

Told by the environment: FAULTS_WAIT_SECONDS a request, FAULTS_KEPT_BYTES kept for good by each, FAULTS_BOOT_SECONDS
to import, FAULTS_SEEN the file for the numbers of the requests that reached it, 4 bytes each.
"""

import os
import struct
import time

WAIT_SECONDS = float(os.environ.get("FAULTS_WAIT_SECONDS", "0.005"))
KEPT_BYTES = int(os.environ.get("FAULTS_KEPT_BYTES", "0"))
SEEN = os.environ.get("FAULTS_SEEN", "")
KEPT = []

time.sleep(float(os.environ.get("FAULTS_BOOT_SECONDS", "0")))
# Appended by many processes: O_APPEND keeps each four bytes whole.
SEEN_FILE = os.open(SEEN, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) if SEEN else None


def app(environ, start_response):
    """200 after the wait; 400 for a body that came short."""
    number = environ.get("HTTP_X_NUMBER", "")
    if SEEN_FILE is not None and number.isdigit():
        os.write(SEEN_FILE, struct.pack("<I", int(number)))
    length = int(environ.get("CONTENT_LENGTH") or 0)
    whole = len(environ["wsgi.input"].read(length)) == length
    time.sleep(WAIT_SECONDS)
    if KEPT_BYTES:
        KEPT.append(b"x" * KEPT_BYTES)
    start_response("200 OK" if whole else "400 Bad Request", [("Content-Length", "3"), ("Content-Type", "text/plain")])
    return [b"ok\n"]
