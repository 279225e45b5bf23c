"""A real nginx before the server of a test."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server import free_port, wait_for

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
STOCK = Path(__file__).parent / "fixtures" / "nginx-debian-12.conf"
STOCK_PATHS = {"/run/nginx.pid": "{folder}/nginx.pid", "/var/log/nginx": "{folder}/log", "/etc/nginx": "{folder}"}
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def installed_nginx() -> str:
    """Its path; without it the test is skipped, in CI it fails."""
    if NGINX is None:
        if os.environ.get("CI") == "true":
            pytest.fail("nginx is not installed")
        pytest.skip("nginx is not installed")
    return NGINX


@contextmanager
def nginx(folder: Path, socket: str, *, keepalive: bool = False, pool: str = "keepalive 32;") -> Iterator[int]:
    """A real nginx before a UNIX socket; gives its port.

    `keepalive` keeps connections to Gunicorn: for nginx's minute, or as `pool` says.
    """
    program = installed_nginx()
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(
        CONFIG.format(
            user="user root;" if os.geteuid() == 0 else "", folder=folder, port=port, socket=socket,
            pool=pool if keepalive else "",
            kept='proxy_http_version 1.1; proxy_set_header Connection "";' if keepalive else "",
        )
    )  # fmt: skip
    process = subprocess.Popen([program, "-c", str(config), "-p", str(folder)], stderr=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.terminate()
        process.wait(10)


def installed(folder: Path, files: Mapping[str, str]) -> Path:
    """A Debian 12 /etc/nginx in `folder`, its stock nginx.conf with other paths, and `files` laid over it."""
    text = STOCK.read_text()
    for old, new in STOCK_PATHS.items():
        text = text.replace(old, new.format(folder=folder))
    text = text.replace("user www-data;", "user root;" if os.geteuid() == 0 else "")
    for name in ("modules-enabled", "conf.d", "sites-enabled", "log", "temp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    temporary = "".join(f"{name}_temp_path {folder}/temp/{name};" for name in TEMPORARY)
    (folder / "nginx.conf").write_text(text.replace("http {", f"http {{ {temporary}", 1))
    shutil.copy("/etc/nginx/mime.types", folder)
    for name, body in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body)
    return folder


def nginx_test(folder: Path) -> tuple[int, str]:
    """Exit code and words of `nginx -t` on an installed folder."""
    ended = subprocess.run(
        [installed_nginx(), "-t", "-c", str(folder / "nginx.conf"), "-p", str(folder)], capture_output=True, text=True
    )  # fmt: skip
    return ended.returncode, ended.stderr


@contextmanager
def running_nginx(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """nginx on an installed folder; ended by pid."""
    words = [installed_nginx(), "-c", str(folder / "nginx.conf"), "-p", str(folder), "-g", "daemon off;"]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    try:
        wait_for((folder / "nginx.pid").exists, f"nginx on {folder}")
        yield process
    finally:
        process.terminate()
        process.wait(10)


def self_signed(folder: Path) -> tuple[str, str]:
    """Paths of a certificate for example.com and of its key."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subject = ["-subj", "/CN=example.com", "-addext", "subjectAltName=DNS:example.com"]
    words = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run(
        ["openssl", "req", "-x509", *words, *subject, "-keyout", key, "-out", certificate], check=True,
        capture_output=True,
    )  # fmt: skip
    return str(certificate), str(key)
