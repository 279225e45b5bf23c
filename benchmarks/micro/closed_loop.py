"""As many requests as the server answers, for so many seconds: wrk where it is installed, else a few plain clients."""

from __future__ import annotations

import multiprocessing
import re
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass

CONNECTIONS = 8
CLIENTS = 4


@dataclass(frozen=True)
class Answered:
    """What came back."""

    requests: int
    per_second: float
    bad: int
    """Answers of 400 and above, and broken connections."""


def command(port: int, seconds: float) -> list[str]:
    """wrk's; its durations are whole seconds."""
    return ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", f"http://127.0.0.1:{port}/"]


def load(port: int, seconds: float) -> Answered:
    """Keep CONNECTIONS requests under way; a new connection whenever the server closes one."""
    if not shutil.which("wrk"):
        return with_clients(port, seconds)
    told = subprocess.run(command(port, seconds), capture_output=True, text=True, timeout=seconds + 30, check=True)
    requests = re.search(r"(\d+) requests in ", told.stdout)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", told.stdout)
    if not requests or not rate:
        raise RuntimeError(f"wrk said: {told.stdout}")
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", told.stdout)
    errors = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", told.stdout)
    broken = sum(map(int, errors.groups())) if errors else 0
    return Answered(int(requests[1]), float(rate[1]), (int(bad[1]) if bad else 0) + broken)


def with_clients(port: int, seconds: float) -> Answered:
    """CLIENTS processes, each one request after another."""
    # Not forked: whoever calls may have threads, and a fork of those can hang for ever.
    context = multiprocessing.get_context("spawn")
    with context.Pool(CLIENTS) as pool:
        pool.starmap(one_client, [(port, 0.0)] * CLIENTS, chunksize=1)
        began = time.monotonic()
        counts = pool.starmap(one_client, [(port, seconds)] * CLIENTS)
        took = time.monotonic() - began
    good, bad = sum(count[0] for count in counts), sum(count[1] for count in counts)
    return Answered(good, good / took, bad)


def one_client(port: int, seconds: float) -> tuple[int, int]:
    """Good and bad answers within the time."""
    good = bad = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                answer = b""
                while chunk := client.recv(65536):
                    answer += chunk
        except OSError:
            answer = b""
        if answer.startswith(b"HTTP/1.1 200 "):
            good += 1
        else:
            bad += 1
    return good, bad
