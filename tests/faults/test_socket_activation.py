"""The unit of `init` without systemd: a socket that somebody else holds, a release behind a link, ways to deploy it."""

from __future__ import annotations

import configparser
import shlex
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.steady import steady
from tests.server import GUNICORN, Server, environment, free_port, wait_for

pytestmark = pytest.mark.real
APP = """
from plain import app as plain

def app(environ, start_response):
    if environ["PATH_INFO"] != "/release":
        return plain(environ, start_response)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"{release}"]
"""
HANDED = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execvp(sys.argv[2], sys.argv[2:])
"""
"""As systemd hands over a socket: descriptor 3, meant for this pid (sd_listen_fds(3))."""


class Site:
    """Two releases, a link to one of them, the files that init wrote, and the socket."""

    def __init__(self, folder: Path, listening: socket.socket, more: str) -> None:
        self.folder, self.listening, self.current = folder, listening, folder / "current"
        for release in ("1", "2"):
            (folder / release).mkdir()
            (folder / release / "wsgi.py").write_text(APP.format(release=release))
        self.link("1")
        self._init()
        config = self.current / "gunicorn_autotune.conf"
        config.write_text(config.read_text() + more)
        (folder / "2" / config.name).write_text(config.read_text())

    def link(self, release: str) -> None:
        """Name the release that is to be served."""
        self.current.unlink(missing_ok=True)
        self.current.symlink_to(release)

    def _init(self) -> None:
        ask = "import sys; from gunicorn_autotune.cli import main; main(sys.argv[1:])"
        subprocess.run(
            [GUNICORN, "-c", ask, "init", "--dir", str(self.current), "--name", "shop"],
            env=environment({}), check=True, capture_output=True, timeout=60,
        )  # fmt: skip
        unit = configparser.ConfigParser(interpolation=None, delimiters=("=",))
        unit.read(self.current / "shop.service")
        self.words = shlex.split(unit["Service"]["ExecStart"])

    def start(self) -> subprocess.Popen[bytes]:
        """ExecStart= of the unit, in its WorkingDirectory=, with the socket."""
        with (self.folder / "log.txt").open("ab") as log:
            return subprocess.Popen(
                [GUNICORN, "-c", HANDED, str(self.listening.fileno()), *self.words],
                cwd=self.current, env=environment({"RUNTIME_DIRECTORY": str(self.folder)}), stdout=log, stderr=log,
                pass_fds=[self.listening.fileno()],
            )  # fmt: skip


@contextmanager
def started(folder: Path, more: str) -> Iterator[tuple[Site, Server]]:
    """The site, served; `more` is added to the configuration that init wrote."""
    path, metrics_port = str(folder / "g.sock"), free_port()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(2048)
        site = Site(folder, listening, more.replace("METRICS", f"127.0.0.1:{metrics_port}"))
        server = Server(site.start(), folder, 0, metrics_port, path)
        try:
            yield site, server
        finally:
            server.stop()


def serves(server: Server, release: str) -> bool:
    """Three times in a row, since two sets of workers may answer side by side."""
    return all(server.get("/release")[1].decode() == release for _ in range(3))


AUTOTUNED = "install(globals(), metrics='METRICS', max_workers=4)\n"
PLAIN = """
OURS = "gunicorn_autotune"
for name in [name for name, value in globals().items() if str(getattr(value, "__module__", "")).startswith(OURS)]:
    del globals()[name]
workers = 2
"""


@pytest.mark.parametrize("more", [AUTOTUNED, PLAIN], ids=["autotune", "plain"])
def test_a_reload_and_a_restart_deploy_and_lose_no_request(more: str, tmp_path: Path) -> None:
    """The link moves on, and a HUP serves the next release; back, and a restart serves the first: under load."""
    with started(tmp_path, more) as (site, server), steady(server) as load:
        assert serves(server, "1")
        site.link("2")
        server.signal(signal.SIGHUP)
        wait_for(lambda: serves(server, "2"), f"the second release\n{server.log[-2000:]}")
        site.link("1")
        code = server.stop()
        waiting = Path(server.unix_path).exists()
        server.process = site.start()
        wait_for(lambda: serves(server, "1"), f"the first release\n{server.log[-2000:]}")
        load.answered(5)
        load.end()
        load.settled()

    assert (code, waiting, load.failed) == (0, True, [])


@pytest.mark.parametrize("more", [AUTOTUNED, PLAIN], ids=["autotune", "plain"])
def test_with_preload_app_a_restart_deploys_and_a_reload_does_not(more: str, tmp_path: Path) -> None:
    """As the unit, the configuration file and the page say: Gunicorn keeps the app that it has imported."""
    with started(tmp_path, more + "preload_app = True\n") as (site, server):
        assert serves(server, "1")
        before = set(server.workers())
        site.link("2")
        server.signal(signal.SIGHUP)
        wait_for(lambda: (now := set(server.workers())) and not now & before, "new workers")
        after_reload = server.get("/release")[1]
        server.stop()
        server.process = site.start()
        after_restart = server.get("/release")[1]

    assert (after_reload, after_restart) == (b"1", b"2")
