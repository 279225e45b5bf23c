"""Gunicorns that nobody told where their metrics shall be, several on one host."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.server import Server, command, environment, free_port, wait_for, write_config

LISTENING = r"exporter listening address=http://127.0.0.1:(\d+)/metrics"


def configure(folder: Path, name: str, port: int, **settings: Any) -> Path:
    """A gunicorn.conf.py; what `settings` does not say is the default."""
    return write_config(
        folder,
        "from gunicorn_autotune import install\n"
        f"bind = '127.0.0.1:{port}'\nproc_name = {name!r}\npidfile = {str(folder / 'g.pid')!r}\n"
        f"graceful_timeout = 5\ncontrol_socket = {str(folder / 'gunicorn.ctl')!r}\n"
        f"install(globals(), **{settings!r})\n",
    )


@contextmanager
def site(folder: Path, name: str, *, ready: bool = True, port: int = 0, **settings: Any) -> Iterator[Server]:
    """One of them, its `metrics_port` where its log says; `ready=False` does not wait for it."""
    folder.mkdir(exist_ok=True)
    port = port or free_port()
    path = configure(folder, name, port, **settings)
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            command(["-c", str(path), "plain:app"]), cwd=folder, env=environment({}), stdout=log, stderr=log
        )
    server = Server(process, folder, port, 0)
    try:
        if ready:
            find_metrics(server, 1)
            wait_for(lambda: server.status()["ready"], "a ready worker")
        yield server
    finally:
        server.stop()


def find_metrics(server: Server, count: int) -> int:
    """The port that its `count`-th exporter listens at."""
    told = re.search(LISTENING, server.wait_for_log(LISTENING, count))
    assert told is not None
    server.metrics_port = int(told[1])
    return server.metrics_port
