"""An app that does to the memory of its worker what a broken C extension, or somebody who took it over, may do."""

import ctypes
import mmap
import os
import random
from pathlib import Path

NAME = "gunicorn-autotune"
PATTERNS = {
    "ones": lambda size: b"\xff" * size,
    "top": lambda size: (1 << 63).to_bytes(8, "little") * (size // 8),
    "random": random.Random(7).randbytes,
}


def descriptors():
    """Every descriptor of this process that leads to memory of that name."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            if NAME in str(entry.readlink()):
                found.append(int(entry.name))
        except FileNotFoundError:
            continue
    return found


def scribble(pattern):
    """All of it, by descriptor and by address: how many bytes were written."""
    written = 0
    for fd in descriptors():
        with mmap.mmap(fd, os.fstat(fd).st_size) as whole:
            whole[:] = PATTERNS[pattern](len(whole))
            written += len(whole)
    for line in Path("/proc/self/maps").read_text().splitlines():
        if NAME in line and line.split()[1].startswith("rw"):
            first, end = (int(side, 16) for side in line.split()[0].split("-"))
            ctypes.memmove(first, PATTERNS[pattern](end - first), end - first)
            written += end - first
    return written


def cut():
    """Cut all of it to nothing: what each attempt raised."""
    raised = []
    for fd in descriptors():
        try:
            os.ftruncate(fd, 0)
            raised.append("nothing")
        except OSError as error:
            raised.append(type(error).__name__)
    return raised


def app(environ, start_response):
    """`/scribble/PATTERN`, `/cut`, anything else is served."""
    _, action, *more = environ["PATH_INFO"].split("/")
    answer = scribble(*more) if action == "scribble" else cut() if action == "cut" else "served"
    body = f"{os.getpid()} {answer}\n".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
