"""A real nginx before a UNIX socket, with kept connections to Gunicorn and without any second try."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.demo_server import NotStartedError, Server, free_port, started, wait_for_answer
from benchmarks.faults.options import NotRunError
from benchmarks.openloop import Target

POOL = "keepalive 32; keepalive_timeout 4s; keepalive_time 2s;"
HEAD = """
{user} daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
"""
"""Of every nginx here: nothing outside its folder, more connections than any load needs; `http` is left open."""
CONFIG = """
  upstream app {{ server unix:{socket}; {pool} }}
  server {{
    listen 127.0.0.1:{port};
    keepalive_requests 100000;
    location / {{
      proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_next_upstream off;
      proxy_set_header X-Request-Start "t=${{msec}}";
    }}
  }}
}}
"""
ERROR = re.compile(r"\[(?:error|crit|alert|emerg)\] \d+#\d+: (?:\*\d+ )?(.+?)(?: while |$)", re.MULTILINE)
"""What went wrong, without the connection it happened to."""


@dataclass(frozen=True)
class Proxy:
    """A running nginx."""

    server: Server
    folder: Path

    @property
    def target(self) -> Target:
        """Where clients go."""
        return Target(("127.0.0.1", self.server.port), "/", f"127.0.0.1:{self.server.port}")

    def errors(self) -> dict[str, int]:
        """What it said of Gunicorn, by kind."""
        text = (self.folder / "error.log").read_text("utf-8", "replace").replace(f"{self.folder.parent}/", "")
        return dict(Counter(re.findall(ERROR, text)).most_common())


def binary() -> str:
    """The nginx of this host; NotRunError when there is none."""
    found = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if found is None:
        raise NotRunError("nginx is not installed (`make fetch`)")
    return found


@contextmanager
def nginx(folder: Path, socket: str) -> Iterator[Proxy]:
    """Answering by the time this yields."""
    port = free_port()
    with running(folder, CONFIG.format(port=port, socket=socket, pool=POOL), port) as proxy:
        try:
            wait_for_answer(proxy.server, port, "/")
        except NotStartedError as error:
            raise NotRunError(f"nginx: {error}") from None
        yield proxy


@contextmanager
def running(folder: Path, http: str, port: int) -> Iterator[Proxy]:
    """An nginx with that in its `http` block, in a new folder; it may not answer yet."""
    home = folder / "nginx"
    home.mkdir()
    path = home / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    path.write_text(HEAD.format(user=user, folder=home) + http)
    with started([binary(), "-c", str(path), "-p", str(home)], home, home / "log.txt", port) as server:
        yield Proxy(server, home)
