"""A real nginx in front of one contender, on cores of its own, with the configuration that belongs to the contender.

    place = fronted.place(Place(port, metrics_port, folder))
    with (
        started(fronted.contender.command(STEP, place), APPS, log, place.port),
        behind(fronted, folder, place, generator_cores) as front,
    ):
        ...  # clients go to front.target, 127.0.0.1:front.server.port; front.errors() counts what nginx said

Rendered files are the very ones that `gunicorn-autotune nginx render` writes for the contender's gunicorn.conf.py, but
for `--rate 0`: all the load comes from one address, which limits for one client would refuse.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.contest.contenders import MissingError, Place
from benchmarks.contest.fronted import Fronted
from benchmarks.demo_server import NotStartedError, environment, free_port, started, wait_for_answer
from benchmarks.faults.options import NotRunError
from benchmarks.faults.proxy import HEAD, Proxy, binary
from benchmarks.nginx.front import Pair, Site, nginx_lines

NAME = "site"
RENDER_SECONDS = 30
SERVER = """
  {upstream}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ {location} proxy_set_header X-Request-Start "t=${{msec}}"; }}
  }}
}}
"""
INCLUDE = """
  include {home}/conf.d/*.conf;
}}
"""


@contextmanager
def behind(fronted: Fronted, folder: Path, place: Place, cores: Collection[int]) -> Iterator[Proxy]:
    """nginx in `folder`/nginx, pinned to `cores`; the contender, started before, answers through it by the time this
    yields, and nginx's error log holds nothing of the time before that.

    MissingError when nginx is not installed; NotStartedError with the reason when its files cannot be written, it
    refuses them, or no 200 comes within START_SECONDS.
    """
    home, port = folder / "nginx", free_port()
    home.mkdir()
    config = home / "nginx.conf"
    config.write_text(head(home) + http_of(fronted, home, place, port))
    command = ["taskset", "-c", ",".join(map(str, sorted(cores))), nginx(), "-c", str(config), "-p", str(home)]
    with started(command, home, home / "log.txt", port) as server:
        front = Proxy(server, home)
        try:
            wait_for_answer(server, port, "/")
        except NotStartedError as error:
            raise NotStartedError(f"behind nginx: {error}\n    nginx's errors: {front.errors()}") from None
        (home / "error.log").write_text("")  # nginx appends
        yield front


def nginx() -> str:
    """The nginx of this host; MissingError when there is none."""
    try:
        return binary()
    except NotRunError as error:
        raise MissingError(str(error)) from None


def head(home: Path) -> str:
    """nginx's main level, one worker process, `http` left open."""
    return HEAD.format(user="user root;" if os.geteuid() == 0 else "", folder=home)


def http_of(fronted: Fronted, home: Path, place: Place, port: int) -> str:
    """The rest of nginx.conf; files it includes are written to `home`."""
    if fronted.pair is not None:
        return by_hand(fronted.pair, fronted.address(place), port)
    rendered(render_command(place, home, port))
    return INCLUDE.format(home=home)


def by_hand(pair: Pair, address: str, port: int) -> str:
    """A pair's lines, in a server that hands over everything."""
    upstream, location = nginx_lines(Site(NAME, address, pair))
    return SERVER.format(upstream=upstream, location=location, port=port)


def render_command(place: Place, home: Path, port: int) -> list[str]:
    """For the gunicorn.conf.py in the place's folder; `home` stands for /etc/nginx and for /var/log/nginx.

    `keepalive N` follows the max_workers that this process's own limits allow, not those of the contender's cgroup; it
    is 128 at most.
    """
    return [
        sys.executable, "-m", "gunicorn_autotune", "nginx", "render", "--config",
        str(place.folder / "gunicorn.conf.py"), "--name", NAME, "--listen", f"127.0.0.1:{port}",
        "--metrics-listen", f"127.0.0.1:{free_port()}", "--nginx-workers", "1", "--rate", "0",
        "--nginx-dir", str(home), "--log-dir", str(home), "--out", str(home),
    ]  # fmt: skip


def rendered(command: list[str]) -> None:
    """Run it; NotStartedError with what it said when it writes nothing."""
    ended = subprocess.run(
        command, env=environment(), capture_output=True, text=True, timeout=RENDER_SECONDS, check=False
    )
    if ended.returncode:
        raise NotStartedError(f"nginx render: {ended.stderr.strip()}")
