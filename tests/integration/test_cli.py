"""The commands beside a real Gunicorn: status of it, doctor next to it, init's file starting it."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server import GUNICORN, Server, command, environment, free_port, serving, wait_for

pytestmark = pytest.mark.real
CLI = [GUNICORN, "-m", "gunicorn_autotune"]


def run(*arguments: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """One command, from outside, its output piped."""
    return subprocess.run(
        [*CLI, *arguments], cwd=folder, env=environment(env), capture_output=True, text=True, timeout=60
    )  # fmt: skip


def test_status_shows_a_running_server(tmp_path: Path) -> None:
    """A worker busy with a request has a full bar; on a pipe no colour and no line that is cut; exit code 0."""
    with serving(tmp_path) as server:
        server.hold("/sleep?s=25")
        server.wait_for_status(
            lambda document: [worker for worker in document["workers"] if worker["state"] == "busy"], "a busy worker"
        )
        ended = run("status", folder=tmp_path, GUNICORN_AUTOTUNE_METRICS=f"127.0.0.1:{server.metrics_port}")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.search(r"^ +\d  +\d+  busy   \S{5} 1/1 ", ended.stdout, re.MULTILINE), ended.stdout
    assert ("\033" in ended.stdout, "..." in ended.stdout) == (False, False)


def test_status_as_json_is_what_the_exporter_answers(tmp_path: Path) -> None:
    """The same keys, from the same server."""
    with serving(tmp_path) as server:
        ended = run("status", "--json", "--server", f"127.0.0.1:{server.metrics_port}", folder=tmp_path)
        document = server.status()

    assert list(json.loads(ended.stdout)) == list(document)


def test_status_reads_a_guarded_exporter_on_a_unix_socket(tmp_path: Path) -> None:
    """--server and --token-file work together."""
    (tmp_path / "token").write_text("secret\n")
    (tmp_path / "token").chmod(0o644)
    settings = {"metrics": f"unix:{tmp_path}/m.sock", "metrics_bearer_token_file": f"{tmp_path}/token"}
    with serving(tmp_path, ready=False, **settings) as server:
        server.wait_for_log("autotune: exporter listening")
        refused = run("status", "--server", "unix:m.sock", folder=tmp_path)
        wait_for(
            lambda: run("status", "--server", "unix:m.sock", "--token-file", "token", folder=tmp_path).returncode == 0,
            "a healthy status",
        )

    assert (refused.returncode, "wants a bearer token" in refused.stderr) == (2, True)


def test_status_is_coloured_on_a_terminal(tmp_path: Path) -> None:
    """And not when NO_COLOR is set."""
    with serving(tmp_path) as server:
        texts = [_on_a_terminal(server, **env) for env in ({}, {"NO_COLOR": "1"})]

    assert ["\033[" in text for text in texts] == [True, False]


def _on_a_terminal(server: Server, **env: str) -> str:
    ours, theirs = pty.openpty()
    try:
        subprocess.run(
            [*CLI, "status", "--server", f"127.0.0.1:{server.metrics_port}"],
            env=environment({"TERM": "xterm"} | env), stdin=subprocess.DEVNULL, stdout=theirs, timeout=60, check=True,
        )  # fmt: skip
        return os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(theirs)


def test_reader_that_leaves_early_sees_no_traceback(tmp_path: Path) -> None:
    """`doctor | head -1` ends quietly."""
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [*CLI, "doctor"],
        cwd=tmp_path,
        env=environment({}),
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(writer)

    assert ended.stderr == ""


def test_full_disk_behind_standard_output_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    """A page that was not written whole is no success."""
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [*CLI, "nginx", "check", "--explain", "NGX001"],
            cwd=tmp_path,
            env=environment({}),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )

    assert (2, "gunicorn-autotune nginx: standard output: No space left on device\n") == (
        ended.returncode,
        ended.stderr,
    )


def test_doctor_finds_this_host_fit_to_serve(tmp_path: Path) -> None:
    """Every check answers for real; on a host that runs these tests none fails."""
    port = free_port()
    ended = run("doctor", "--json", folder=tmp_path, GUNICORN_AUTOTUNE_METRICS=f"127.0.0.1:{port}")
    findings = {entry["check"]: entry for entry in json.loads(ended.stdout)}

    assert (ended.returncode, [one for one in findings.values() if one["level"] == "FAIL"]) == (0, [])
    assert {findings[name]["level"] for name in ("gunicorn", "settings", "tcp_backlog", "process")} == {"ok"}


def test_doctor_beside_a_running_server_knows_its_exporter(tmp_path: Path) -> None:
    """The same file, read again, while it serves: nothing of the server is disturbed."""
    with serving(tmp_path, "worker_class = 'gthread'\nkeepalive = 10") as server:
        ended = run("doctor", "--config", "gunicorn.conf.py", folder=tmp_path)
        answer = server.get("/")

    assert (ended.returncode, answer) == (0, (200, b"hello\n"))
    assert (
        f"127.0.0.1:{server.metrics_port}: the exporter of this server (arbiter {server.process.pid}) answers"
        in ended.stdout
    )
    assert "gthread reports its requests" in ended.stdout


def test_doctor_refuses_a_file_that_would_stop_the_boot(tmp_path: Path) -> None:
    """Exit code 1, and the same words Gunicorn would print."""
    (tmp_path / "g.py").write_text("from gunicorn_autotune import install\ninstall(globals(), max_wokers=3)\n")
    ended = run("doctor", "--config", "g.py", folder=tmp_path)

    assert ended.returncode == 1
    assert re.search(r"^FAIL  settings +g.py: autotune setting max_wokers: no such setting", ended.stdout, re.MULTILINE)


def test_commands_run_without_gunicorn(tmp_path: Path) -> None:
    """In this process it is never imported; doctor alone misses it, as a finding."""
    (tmp_path / "gunicorn.py").write_text("raise ImportError('no gunicorn here')\n")
    ended = [
        run(*words, folder=tmp_path, PYTHONPATH=str(tmp_path))
        for words in (["init", "--dir", "."], ["status", "--server", f"127.0.0.1:{free_port()}"], ["doctor"])
    ]

    assert [one.returncode for one in ended] == [0, 2, 1]
    assert "no gunicorn here" in ended[2].stdout
    assert "Traceback" not in "".join(one.stderr for one in ended)


@pytest.mark.parametrize("bind", ["tcp", "unix"])
def test_server_starts_with_the_file_that_init_wrote(bind: str, tmp_path: Path) -> None:
    """As the unit would start it: in its folder, by its name, RUNTIME_DIRECTORY set."""
    port, metrics_port = free_port(), free_port()
    address = f"127.0.0.1:{port}" if bind == "tcp" else f"unix:{tmp_path}/g.sock"
    written = run("init", "--app", "plain:app", "--bind", address, "--name", "site", folder=tmp_path)
    env = {"GUNICORN_AUTOTUNE_METRICS": f"127.0.0.1:{metrics_port}", "RUNTIME_DIRECTORY": str(tmp_path)}
    with (tmp_path / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            command(["-c", "gunicorn_autotune.conf", "plain:app"]),
            cwd=tmp_path, env=environment(env), stdout=log, stderr=log,
        )  # fmt: skip
    server = Server(process, tmp_path, port, metrics_port, f"{tmp_path}/g.sock" if bind == "unix" else "")
    try:
        wait_for(lambda: server.status()["ready"], f"a ready worker\n{server.log}")
        answers = server.get("/")[0], server.status()["mode"]
        status = run("status", "--server", f"127.0.0.1:{metrics_port}", folder=tmp_path)
    finally:
        server.stop()

    assert (written.returncode, answers, status.returncode) == (0, (200, "active"), 0), written.stderr


def test_installed_script_and_module_are_the_same_command(tmp_path: Path) -> None:
    """`gunicorn-autotune --version` and `python -m gunicorn_autotune --version`."""
    script = Path(GUNICORN).parent / "gunicorn-autotune"
    if not script.is_file():
        pytest.skip("not installed as a script")
    words = subprocess.run([script, "--version"], capture_output=True, text=True, timeout=60, check=True).stdout

    assert words == run("--version", folder=tmp_path).stdout
    assert sys.version_info >= (3, 10)
