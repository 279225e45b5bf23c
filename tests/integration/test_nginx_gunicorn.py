"""Gunicorn's side of the Nginx commands, from real servers and with the configuration module as it is started."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gunicorn_autotune.cli.nginx_gunicorn import from_server
from gunicorn_autotune.cli.style import CommandError
from gunicorn_autotune.nginx.site.gunicorn import SETTINGS, THREADED, Gunicorn
from tests.server import GUNICORN, Server, command, environment, free_port, serving, wait_for

pytestmark = [pytest.mark.real, pytest.mark.once]
EXAMPLE = Path(__file__).parents[2] / "example_app"


def side_of(server: Server) -> Gunicorn:
    """What the command would work with."""
    return from_server(f"127.0.0.1:{server.metrics_port}")


def version() -> str:
    """Of the tested Gunicorn."""
    asked = [GUNICORN, "-c", "import gunicorn; print(gunicorn.__version__)"]
    return subprocess.run(asked, capture_output=True, text=True, check=True, timeout=30).stdout.strip()


def known_settings() -> set[str]:
    """Of the tested Gunicorn, by its own table."""
    asked = [GUNICORN, "-c", "from gunicorn.config import make_settings; print(*make_settings())"]
    return set(subprocess.run(asked, capture_output=True, text=True, check=True, timeout=30).stdout.split())


def test_running_server_tells_all_it_runs_with(tmp_path: Path) -> None:
    """The value of every setting that this version has, but the working directory, and where it comes from."""
    config = "worker_class = 'gthread'\nthreads = 3\nkeepalive = 7\nuser = None"
    with serving(tmp_path, config, unix=True) as server:
        found = side_of(server)
    absent = set(SETTINGS) - set(found.values)

    assert {"chdir"} | (set(SETTINGS) - {"tls"} - known_settings()) == absent
    assert (version(), THREADED, 3, 8) == (found.version, found.kind, found.requests_at_once, found.most_workers)
    assert f"keepalive = 7 (running server, pid {server.process.pid})" == found.shown("keepalive")
    assert f"timeout = 30 (default of Gunicorn {version()})" == found.shown("timeout")
    assert [f"unix:{server.unix_path}"] == found.get("bind")


def test_reload_renews_what_is_told(tmp_path: Path) -> None:
    """The settings of the file as HUP read it, not those of a moment in between."""
    with serving(tmp_path, "timeout = 30\nworkers = 3") as server:
        before = side_of(server).get("timeout")
        path = tmp_path / "gunicorn.conf.py"
        path.write_text(path.read_text().replace("timeout = 30", "timeout = 44\nlimit_request_line = 8190"))
        server.signal(signal.SIGHUP)
        told = server.wait_for_status(
            lambda document: found if (found := document["gunicorn"]["settings"])["timeout"] == 44 else None, "44 s"
        )

    assert (30, 3, 5, 8190) == (before, *(told[name] for name in ("workers", "graceful_timeout", "limit_request_line")))


@contextmanager
def started(words: list[str], folder: Path) -> Iterator[Gunicorn]:
    """Gunicorn by these words, as a user writes them; gives what it tells."""
    metrics = free_port()
    settings = {"GUNICORN_AUTOTUNE_METRICS": f"127.0.0.1:{metrics}"}
    arguments = [*words, "--bind", f"127.0.0.1:{free_port()}", "--graceful-timeout", "5"]
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            command([*arguments, "plain:app"]), cwd=folder, env=environment(settings), stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield wait_for(lambda: _told(metrics), f"settings told by {words}")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def _told(port: int) -> Gunicorn | None:
    try:
        return from_server(f"127.0.0.1:{port}")
    except CommandError:
        return None


def literal(folder: Path) -> None:
    """The example's file beside an app."""
    (folder / "gunicorn_autotune.conf").write_text((EXAMPLE / "gunicorn_autotune.conf").read_text())


@pytest.mark.parametrize("location", ["python:gunicorn_autotune.conf", "gunicorn_autotune.conf"])
@pytest.mark.parametrize(("words", "seconds"), [([], 10), (["--keep-alive", "3"], 3)])
def test_module_and_example_keep_connections_for_ten_seconds(
    location: str, words: list[str], seconds: int, tmp_path: Path
) -> None:
    """The pair to what `nginx render` writes; Gunicorn's command line wins."""
    literal(tmp_path)
    with started(["-c", location, *words], tmp_path) as found:
        assert seconds == found.get("keepalive")


def test_file_of_the_user_keeps_its_own_keepalive(tmp_path: Path) -> None:
    """install() leaves Gunicorn's default alone in a file that does not say one."""
    with serving(tmp_path) as server:
        assert 2 == side_of(server).get("keepalive")
