"""One flag, or one call in a file of your own: the server starts tuned, and the user's file keeps its meaning."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.server import Server, command, environment, free_port, serving, wait_for, write_config

pytestmark = pytest.mark.real
EXAMPLE = Path(__file__).parents[2] / "example_app"
HOOKS = {
    "on_starting": "server",
    "when_ready": "server",
    "nworkers_changed": "server, new, old",
    "pre_fork": "server, worker",
    "post_fork": "server, worker",
    "post_worker_init": "worker",
    "pre_request": "worker, req",
    "post_request": "worker, req, environ, resp",
    "worker_exit": "server, worker",
    "child_exit": "server, worker",
    "on_reload": "server",
    "on_exit": "server",
}
USER_HOOKS = "\n".join(
    f"def {name}({arguments}):\n    print('their {name}', flush=True)" for name, arguments in HOOKS.items()
)


def _exercise_every_hook(server: Server) -> None:
    server.get("/")
    server.process.send_signal(1)  # HUP
    server.wait_for_log("their on_reload")
    server.wait_for_log("their child_exit")
    server.get("/")
    server.stop()


@pytest.mark.parametrize("place", ["above", "below"])
def test_every_hook_of_the_user_still_runs(place: str, tmp_path: Path) -> None:
    """Hooks above and below install() are chained, never replaced, and ours work beside them."""
    config = USER_HOOKS if place == "above" else ""
    with serving(tmp_path, config) as server:
        if place == "below":
            server.stop()
            path = tmp_path / "gunicorn.conf.py"
            path.write_text(path.read_text() + USER_HOOKS)
            with (tmp_path / "log.txt").open("ab") as log:
                server.process = subprocess.Popen(
                    command(["-c", str(path), "plain:app"]), cwd=tmp_path, env=environment({}), stdout=log, stderr=log
                )
            wait_for(lambda: server.status()["ready"], "a ready worker")
        measured = wait_for(lambda: server.status()["workers"], "worker rows")
        _exercise_every_hook(server)

    missing = [name for name in HOOKS if f"their {name}\n" not in server.log]
    assert (missing, len(measured) >= 2) == ([], True)


def _start_in_example(tmp_path: Path, config: str) -> Server:
    folder = tmp_path / "example_app"
    shutil.copytree(EXAMPLE, folder)
    port, metrics_port = free_port(), free_port()
    env = environment(
        {
            "GUNICORN_AUTOTUNE_METRICS": f"127.0.0.1:{metrics_port}",
            "PYTHONPATH": "",
            "EXAMPLE_APP_DB": str(folder / "db"),
        }
    )
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            command(["-c", config, "-b", f"127.0.0.1:{port}", "wsgi:app"]), cwd=folder, env=env, stdout=log, stderr=log
        )
    return Server(process, folder, port, metrics_port)


@pytest.mark.parametrize("config", ["python:gunicorn_autotune.conf", "gunicorn_autotune.conf"])
def test_the_example_app_starts_with_one_flag(config: str, tmp_path: Path) -> None:
    """Inside example_app/, the module and the literal file both give a tuned server."""
    server = _start_in_example(tmp_path, config)
    try:
        wait_for(lambda: server.status()["ready"], f"a ready worker\n{server.log}")
        answer = server.get("/")[0]
        mode = server.status()["mode"]
    finally:
        server.stop()

    assert (answer, mode) == (200, "active")


@pytest.mark.parametrize(
    ("settings", "env", "expected"),
    [
        ("max_wokers=3", {}, "autotune setting max_wokers: no such setting; did you mean max_workers?"),
        ("max_workers='many'", {}, "autotune setting max_workers = 'many': must be a whole number"),
        ("max_workers=2.5", {}, "autotune setting max_workers = 2.5: must be a whole number"),
        ("min_workers=0", {}, "autotune setting min_workers = 0: must be at least 1"),
        ("min_workers=9, max_workers=3", {}, "autotune setting min_workers = 9: must be at most max_workers (3)"),
        ("mode='on'", {}, "autotune setting mode = 'on': must be one of active, observe, off"),
        (
            "",
            {"GUNICORN_AUTOTUNE_MAX_WORKERS": "lots"},
            "autotune setting GUNICORN_AUTOTUNE_MAX_WORKERS = 'lots': must be a whole number",
        ),
        ("", {"GUNICORN_AUTOTUNE_TICK_SECONDS": "nan"}, "GUNICORN_AUTOTUNE_TICK_SECONDS = 'nan': must be a number"),
        ("", {"GUNICORN_AUTOTUNE_MAXWORKERS": "3"}, "GUNICORN_AUTOTUNE_MAXWORKERS: no such setting; did you mean"),
        ("metrics='9877'", {}, "autotune setting metrics = '9877': must be"),
    ],
)
def test_a_wrong_setting_stops_the_boot_with_one_line(
    settings: str, env: dict[str, str], expected: str, tmp_path: Path
) -> None:
    """The line names setting, value and rule; the exit code is not 0."""
    path = write_config(tmp_path, f"from gunicorn_autotune import install\ninstall(globals(), {settings})\n")
    ended = subprocess.run(
        command(["-c", str(path), "-b", f"127.0.0.1:{free_port()}", "plain:app"]),
        cwd=tmp_path, env=environment(env), capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    lines = ended.stderr.strip().splitlines()

    assert (ended.returncode != 0, len(lines), expected in ended.stderr) == (True, 1, True), ended.stderr


def test_a_wrong_setting_in_a_reload_keeps_the_running_ones(tmp_path: Path) -> None:
    """A HUP with a misspelt setting is logged; the server goes on with the policy it had."""
    with serving(tmp_path) as server:
        path = tmp_path / "gunicorn.conf.py"
        path.write_text(path.read_text().replace("'max_workers': 8", "'max_wokers': 8"))
        server.signal(1)
        server.wait_for_log("autotune: reload refused.*max_wokers")
        kept = server.wait_for_status(lambda status: status["policy"]["max_workers"] == 8, "policy kept")
        answer = server.get("/")[0]

    assert (kept, answer) == (True, 200)


def test_mode_off_is_plain_gunicorn(tmp_path: Path) -> None:
    """No tick, no exporter, no line of ours."""
    with serving(tmp_path, "workers = 2", mode="off", ready=False) as server:
        wait_for(lambda: server.get("/")[0] == 200, "an answer")
        log = server.log

    assert "autotune" not in log


def test_observe_never_touches_a_worker(tmp_path: Path) -> None:
    """Under a queue the decision is logged as `would resize`, and the workers stay the ones they were."""
    with serving(tmp_path, "workers = 2", mode="observe") as server:
        before = sorted(server.wait_for_ready(2))
        for _ in range(8):
            server.hold("/sleep?s=2")
        server.wait_for_log("autotune: would resize workers=2->")
        server.wait_for_status(lambda status: status["tally"]["ticks"] > 20, "more ticks")
        status = server.status()

    assert (status["mode"], status["target"], sorted(worker["pid"] for worker in status["workers"])) == (
        "observe",
        2,
        before,
    )
