"""A real nginx before the server of a test."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server import free_port

NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
CONFIG = """
{user} daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream app {{ server unix:{socket}; {pool} }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://app; proxy_set_header X-Request-Start "t=${{msec}}"; {kept} }}
  }}
}}
"""


@contextmanager
def nginx(folder: Path, socket: str, *, keepalive: bool = False, pool: str = "keepalive 32;") -> Iterator[int]:
    """A real nginx before a UNIX socket; gives its port.

    `keepalive` keeps connections to Gunicorn: for nginx's minute, or as `pool` says.
    """
    if NGINX is None:
        if os.environ.get("CI") == "true":
            pytest.fail("nginx is not installed")
        pytest.skip("nginx is not installed")
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(
        CONFIG.format(
            user="user root;" if os.geteuid() == 0 else "", folder=folder, port=port, socket=socket,
            pool=pool if keepalive else "",
            kept='proxy_http_version 1.1; proxy_set_header Connection "";' if keepalive else "",
        )
    )  # fmt: skip
    process = subprocess.Popen([NGINX, "-c", str(config), "-p", str(folder)], stderr=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.terminate()
        process.wait(10)
