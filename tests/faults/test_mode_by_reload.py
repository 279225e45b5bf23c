"""`mode` changed by HUP, from and to off; a wrong setting in a reload, whatever the mode was at the start."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.faults.steady import steady
from tests.server import Server, launched, serving, wait_for, write_config

pytestmark = pytest.mark.real


def _config(settings: str, more: str = "") -> str:
    return f"from gunicorn_autotune import install\n{more}install(globals(), {settings})\n"


def _reload(server: Server, text: str, log: str) -> set[int]:
    """Rewrite the file and HUP; the pids of the set before it."""
    (server.folder / "gunicorn.conf.py").write_text(text)
    before = set(server.workers())
    server.signal(signal.SIGHUP)
    server.wait_for_log(log)
    return before


def test_off_becomes_active_and_active_becomes_off(tmp_path: Path) -> None:
    """A HUP switches on, with rows and exporter, and off again: no exporter, no tick, the count left alone."""
    write_config(tmp_path, _config("mode='off'", "workers = 2\n"))
    with launched(tmp_path) as server:
        server.wait_for_workers(2)
        silent = "autotune" not in server.log
        with steady(server) as load:
            _reload(server, _config("max_workers=2"), "ready to tune mode=active")
            server.wait_for_ready(2)
            server.signal(signal.SIGTTIN)
            server.wait_for_ready(3)
            before = _reload(
                server, _config("mode='off'"), "off since this reload: plain Gunicorn, the count is left alone"
            )
            server.wait_for_log("off since this reload.* workers=3")
            wait_for(lambda: len(pids := server.workers()) == 3 and not before & {*pids}, "three new workers")
            exporter_left = wait_for(lambda: not _answers(server), "no exporter")
            again = _reload(server, _config("max_workers=2"), "(?s)ready to tune.*ready to tune")
            wait_for(lambda: not again & {*server.wait_for_ready(2)}, "measured again")
            mode, door_errors = server.status()["mode"], server.status()["tally"]["door_errors"]

    assert (silent, exporter_left, mode, door_errors, load.failed) == (True, True, "active", {}, [])
    assert "Traceback" not in server.log


def _answers(server: Server) -> bool:
    try:
        return bool(server.status())
    except OSError:
        return False


def test_off_by_reload_obeys_the_written_count(tmp_path: Path) -> None:
    """Plain Gunicorn's reload goes back to `workers`; so does ours where it is written."""
    write_config(tmp_path, _config("max_workers=4", "workers = 2\n"))
    with launched(tmp_path) as server:
        server.wait_for_ready(2)
        server.signal(signal.SIGTTIN)
        server.wait_for_ready(3)
        _reload(server, _config("mode='off'", "workers = 2\n"), "off since this reload.* workers=2")
        server.wait_for_workers(2)


def test_observe_by_reload_keeps_a_count_that_nobody_wrote(tmp_path: Path) -> None:
    """Gunicorn's default of one is no wish; the three that ran go on as three."""
    with serving(tmp_path) as server:
        server.wait_for_ready(2)
        server.signal(signal.SIGTTIN)
        before = server.wait_for_ready(3)
        text = (tmp_path / "gunicorn.conf.py").read_text()
        (tmp_path / "gunicorn.conf.py").write_text(
            text.replace("install(globals(), ", "install(globals(), mode='observe', ")
        )
        server.signal(signal.SIGHUP)
        server.wait_for_status(lambda status: status["mode"] == "observe", "observe")
        after = wait_for(lambda: not {*before} & {*(pids := server.wait_for_ready(3))} and pids, "a new set")

    assert len(after) == 3


@pytest.mark.parametrize(
    ("mode", "wrong"),
    [("active", "max_wokers=3"), ("off", "max_workers='many'"), ("active", "min_workers=9, max_workers=3")],
)
def test_a_wrong_setting_in_a_reload_ends_nothing_and_stands_in_the_error_log(
    mode: str, wrong: str, tmp_path: Path
) -> None:
    """With a daemon stderr is nowhere, so the error log it is; the master lives and answers on."""
    more = f"workers = 2\nerrorlog = {str(tmp_path / 'error.log')!r}\n"
    write_config(tmp_path, _config(f"mode={mode!r}", more))
    with launched(tmp_path) as server:
        server.wait_for_workers(2)
        (tmp_path / "gunicorn.conf.py").write_text(_config(wrong, more))
        before = set(server.workers())
        server.signal(signal.SIGHUP)
        told = wait_for(
            lambda: [line for line in (tmp_path / "error.log").read_text().splitlines() if "reload refused" in line],
            "a refusal in the error log",
        )
        wait_for(lambda: len(pids := server.workers()) == 2 and not before & {*pids}, "two new workers")
        answer, alive = server.get("/")[0], server.process.poll()

    assert (len(told), wrong.split("=")[0] in told[0], answer, alive) == (1, True, 200, None)
    assert "reload refused" not in server.log


def test_a_daemon_tells_a_refusal_in_its_error_log(tmp_path: Path) -> None:
    """It has no terminal; plain Gunicorn's own lines go the same way."""
    more = f"daemon = True\npidfile = 'g.pid'\nerrorlog = {str(tmp_path / 'error.log')!r}\n"
    write_config(tmp_path, _config("mode='off'", more))
    with launched(tmp_path) as server:
        pid = int(wait_for(lambda: (tmp_path / "g.pid").read_text(), "a pidfile"))
        try:
            wait_for(lambda: server.get("/")[0] == 200, "an answer")
            (tmp_path / "gunicorn.conf.py").write_text(_config("mode='of'", more))
            os.kill(pid, signal.SIGHUP)
            told = wait_for(lambda: "mode = 'of'" in (tmp_path / "error.log").read_text(), "a refusal")
            answer = server.get("/")[0]
        finally:
            os.kill(pid, signal.SIGTERM)
            wait_for(lambda: not Path(f"/proc/{pid}").exists(), "its end")

    assert (told, answer) == (True, 200)
