"""What a real nginx and its host tell about a configuration."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gunicorn_autotune.cli.nginx_binary import find_nginx, nginx_dump, nginx_version
from gunicorn_autotune.cli.nginx_host import host_facts
from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.nginx.read.tree import MAIN, Directive
from gunicorn_autotune.nginx.site.host import HostFacts
from tests.proxy import installed_nginx
from tests.server import free_port, wait_for

pytestmark = [pytest.mark.real, pytest.mark.once]
CONFIG = """
{user} daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 2;
worker_rlimit_nofile 333;
events {{ worker_connections 64; }}
http {{
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  log_format autotune '$remote_addr [$time_local] "$request" $status rt=$request_time '
    'uct=$upstream_connect_time uht=$upstream_header_time urt=$upstream_response_time';
  access_log {folder}/timing.log autotune;
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://127.0.0.1:{closed}; }}
    location /ok {{ return 200 ok; }}
    location /app {{ proxy_pass http://127.0.0.1:{port}/ok; }}
  }}
}}
"""


@dataclass
class Nginx:
    """A running one, and its configuration as far as the facts look at it."""

    process: subprocess.Popen[bytes]
    port: int
    config: Directive

    def facts(self) -> HostFacts:
        """As the command gathers them."""
        return host_facts(self.config, None, installed_nginx())

    def get(self, path: str) -> int:
        """Status of one answer."""
        asked = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:{self.port}{path}"]
        return int(subprocess.run(asked, capture_output=True, timeout=20).stdout)


def a_line(text: str, path: Path) -> Directive:
    """A directive of a file."""
    name, *words = text.split()
    return Directive(name, tuple(words), str(path), 1, 1)


@contextmanager
def running(folder: Path) -> Iterator[Nginx]:
    """nginx with two workers, nobody behind it."""
    port, path = free_port(), folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    path.write_text(CONFIG.format(user=user, folder=folder, port=port, closed=free_port()))
    lines = ("pid nginx.pid", "error_log error.log", "access_log timing.log autotune")
    words = [line.replace(" ", f" {folder}/", 1) for line in lines]
    config = Directive(MAIN, (), str(path), 1, 1, tuple(a_line(text, path) for text in words))
    process = subprocess.Popen([installed_nginx(), "-c", str(path), "-p", str(folder)], stderr=subprocess.DEVNULL)
    nginx = Nginx(process, port, config)
    try:
        wait_for(lambda: nginx.get("/ok") == 200, "nginx answers")
        yield nginx
    finally:
        process.terminate()
        process.wait(10)


def test_limit_is_that_of_a_worker(tmp_path: Path) -> None:
    """The master's own is another."""
    with running(tmp_path) as nginx:
        master = Path(f"/proc/{nginx.process.pid}/limits").read_text()
        found = nginx.facts()

    assert (333, False) == (found.worker_open_files, "files            333 " in master)


def test_start_is_that_of_the_last_reload(tmp_path: Path) -> None:
    """Workers are new after HUP, the master is not."""
    with running(tmp_path) as nginx:
        first = nginx.facts().nginx_started_unix_seconds
        nginx.process.send_signal(signal.SIGHUP)
        second = wait_for(
            lambda: now if (now := nginx.facts().nginx_started_unix_seconds or 0.0) > (first or 0.0) else None,
            "younger workers",
        )

    assert (first is not None, abs(second - time.time()) < 60) == (True, True)


def test_configuration_is_tested_beside_the_running_one(tmp_path: Path) -> None:
    """It passes, and the server does not notice."""
    with running(tmp_path) as nginx:
        pid = (tmp_path / "nginx.pid").read_text()
        found = nginx.facts().test
        answer = nginx.get("/ok")

    assert found is not None
    assert (True, True, 200) == (found.passed, "syntax is ok" in found.output, answer)
    assert str(nginx.process.pid) == pid.strip()


def test_configuration_that_nginx_refuses_fails_with_its_words(tmp_path: Path) -> None:
    """The line is in them."""
    path = tmp_path / "nginx.conf"
    path.write_text(f"error_log {tmp_path}/e;\npid {tmp_path}/pid;\nevents {{}}\nkeepaliv 3;\n")
    found = host_facts(Directive(MAIN, (), str(path), 1, 1, ()), None, installed_nginx()).test

    assert found is not None
    assert (False, True) == (found.passed, f'unknown directive "keepaliv" in {path}:4' in found.output)


def test_logs_of_a_real_server_are_read(tmp_path: Path) -> None:
    """A refused connection stands in the error log; times come from the timing log, failures too."""
    with running(tmp_path) as nginx:
        answers = [nginx.get(path) for path in ("/", "/app", "/app", "/ok")]
        found = wait_for(
            lambda: facts if (facts := nginx.facts()).timing and facts.timing.requests >= 3 else None, "times"
        )

    assert [502, 200, 200, 200] == answers
    assert any("(111: Connection refused)" in line for line in found.error_log or ())
    assert found.timing is not None
    assert (3, 1) == (found.timing.requests, found.timing.failed)


def test_dump_holds_every_file(tmp_path: Path) -> None:
    """With the mark that begins each."""
    path = tmp_path / "nginx.conf"
    (tmp_path / "more.conf").write_text("worker_processes 1;\n")
    path.write_text(f"error_log {tmp_path}/e;\npid {tmp_path}/pid;\nevents {{}}\ninclude more.conf;\n")
    text = nginx_dump(installed_nginx(), str(path))

    assert not isinstance(text, Missing)
    assert [f"# configuration file {path}:", f"# configuration file {tmp_path}/more.conf:"] == [
        line for line in text.splitlines() if line.startswith("# configuration file")
    ]


def test_version_is_a_number() -> None:
    """Of the nginx that is found here."""
    installed_nginx()

    assert nginx_version(find_nginx() or "").count(".") == 2
