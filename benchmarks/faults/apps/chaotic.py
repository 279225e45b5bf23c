"""The app of the chaos soak: answers, streams, and forks children that count, each with prometheus_client.

It notes the number of each request it begins with its pid in the file FAULTS_SEEN names, 8 bytes each: which process
had a request that was lost is known so.
"""

import errno
import os
import struct
import threading
import time

from prometheus_client import Counter

WAIT_SECONDS = 0.02
SPIN_SECONDS = 0.005
EVENT_SECONDS = 0.25
JOBS_A_REQUEST = 2
JOB_LONGEST_SECONDS = 10.0
REQUESTS = Counter("chaos_requests", "Requests that were begun")
JOBS = Counter("chaos_jobs", "Jobs of forked children")
SEEN_FILE = os.open(os.environ["FAULTS_SEEN"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
# A lock of prometheus_client that another thread holds stays locked in a forked child, with any server.
COUNTING = threading.Lock()


def app(environ, start_response):
    """`/stream` goes on for ever, `/fork` has children count, `/spin` computes; everything else waits."""
    number = environ.get("HTTP_X_NUMBER", "")
    if number.isdigit():
        os.write(SEEN_FILE, struct.pack("<II", int(number), os.getpid()))
        with COUNTING:
            REQUESTS.inc()
    path = environ["PATH_INFO"]
    if path == "/stream":
        start_response("200 OK", [("Content-Type", "text/event-stream"), ("X-Pid", str(os.getpid()))])
        return events()
    if path == "/fork":
        try:
            done = sum(fork_one() for _ in range(JOBS_A_REQUEST)) == JOBS_A_REQUEST
        except OSError as error:
            if error.errno != errno.EAGAIN:
                raise
            return answer(start_response, "503 No Room")
        return answer(start_response, "200 OK" if done else "500 Job Lost")
    environ["wsgi.input"].read()
    spin() if path == "/spin" else time.sleep(WAIT_SECONDS)
    return answer(start_response, "200 OK")


def answer(start_response, status):
    """A short body."""
    start_response(status, [("Content-Length", "3"), ("Content-Type", "text/plain")])
    return [b"ok\n"]


def events():
    """Without an end."""
    while True:
        yield b"data: on\n\n"
        time.sleep(EVENT_SECONDS)


def spin():
    """Compute."""
    until = time.thread_time() + SPIN_SECONDS
    while time.thread_time() < until:
        pass


def fork_one():
    """A child that counts one job; whether it has ended well."""
    with COUNTING:
        pid = os.fork()
    if not pid:
        code = 1
        try:
            JOBS.inc()
            code = 0
        finally:
            os._exit(code)
    return ended_well(pid)


def ended_well(pid):
    """Whether the child ends with 0 within JOB_LONGEST_SECONDS."""
    deadline = time.monotonic() + JOB_LONGEST_SECONDS
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status == 0
        time.sleep(0.002)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return False
