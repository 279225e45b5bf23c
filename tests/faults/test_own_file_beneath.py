"""`-c python:gunicorn_autotune.conf` beside a ./gunicorn.conf.py, which plain Gunicorn reads; and slips of the flag."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.server import command, environment, free_port, launched, write_config

pytestmark = pytest.mark.real
FLAG = ("-c", "python:gunicorn_autotune.conf")
THEIRS = """
import os
keepalive = 7
timeout = 44
raw_env = ["FROM_THEIRS=yes"]
beneath = install = "names of their own"
def on_starting(server):
    print("their on_starting", server.cfg.keepalive, server.cfg.timeout, flush=True)
def on_reload(server):
    print("their on_reload", server.cfg.timeout, flush=True)
def post_request(worker, req, environ, resp):
    print("their post_request", os.environ["FROM_THEIRS"], flush=True)
"""


def _lines(log: str, words: str) -> int:
    return sum(words in line for line in log.splitlines())


@pytest.mark.parametrize("by", ["command line", "GUNICORN_CMD_ARGS"])
def test_their_default_file_is_read_beneath_ours(by: str, tmp_path: Path) -> None:
    """Settings and hooks of theirs are in force, said in one line, and a HUP reads the file again."""
    path = write_config(tmp_path, THEIRS)
    arguments, env = (FLAG, {}) if by == "command line" else ((), {"GUNICORN_CMD_ARGS": " ".join(FLAG)})
    with launched(tmp_path, *arguments, env=env) as server:
        server.wait_for_ready(2)
        server.get("/")
        path.write_text(THEIRS.replace("timeout = 44", "timeout = 45"))
        server.signal(signal.SIGHUP)
        server.wait_for_log("their on_reload 45")
        server.wait_for_ready(2)

    log = server.log
    assert ("their on_starting 7 44" in log, "their post_request yes" in log) == (True, True)
    assert _lines(log, "gunicorn.conf.py is read beneath python:gunicorn_autotune.conf") == 1
    assert _lines(log, "keepalive = 10") == 0


def test_their_install_counts_and_nothing_is_doubled(tmp_path: Path) -> None:
    """A file that installs by itself, even twice, is started as if it stood alone; a HUP keeps to it."""
    path = write_config(
        tmp_path,
        "from gunicorn_autotune import install\ninstall(globals(), max_workers=2)\n"
        "install(globals(), min_workers=3, max_workers=5)\n"
        "def post_fork(server, worker):\n    print('their post_fork', flush=True)\n",
    )
    with launched(tmp_path, *FLAG) as server:
        server.wait_for_ready(3)
        first, forks = server.status()["policy"]["max_workers"], server.log.count("their post_fork")
        path.write_text(path.read_text().replace("max_workers=5", "max_workers=6"))
        server.signal(signal.SIGHUP)
        server.wait_for_status(lambda status: status["policy"]["max_workers"] == 6, "the new maximum")

    assert (first, forks, server.log.count("ready to tune")) == (5, 3, 1)


def test_an_install_in_a_module_of_theirs_counts_after_a_reload_too(tmp_path: Path) -> None:
    """A HUP executes the file again but not the modules that it imports: what they installed stays."""
    (tmp_path / "shared_settings.py").write_text(
        "from gunicorn_autotune import install\ninstall(globals(), min_workers=3)\n"
    )
    write_config(tmp_path, "import shared_settings\n")
    with launched(tmp_path, *FLAG) as server:
        before = server.wait_for_ready(3)
        server.signal(signal.SIGHUP)
        server.wait_for_status(lambda status: not {one["pid"] for one in status["workers"]} & {*before}, "a new set")
        least = server.status()["policy"]["min_workers"]

    assert least == 3


def _ended(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    words = command([*arguments, "-b", f"127.0.0.1:{free_port()}", "plain:app"])
    return subprocess.run(
        words, cwd=folder, env=environment(env or {}), capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize("text", ["keepalive = \n", "import no_such_module\n", "timeout = 'long'\n", "workers = -1\n"])
def test_an_error_in_their_file_is_told_as_by_plain_gunicorn(text: str, tmp_path: Path) -> None:
    """Same exit code, same last line, the same file named."""
    write_config(tmp_path, text)
    plain, ours = _ended(tmp_path), _ended(tmp_path, *FLAG)
    last = [one.stderr.strip().splitlines()[-1] for one in (plain, ours)]

    assert (ours.returncode, last[1]) == (plain.returncode, last[0]), ours.stderr
    assert ours.returncode != 0 and ("gunicorn.conf.py" in ours.stderr) == ("gunicorn.conf.py" in plain.stderr)


def test_check_config_and_print_config_take_theirs(tmp_path: Path) -> None:
    """--print-config shows what would run; nothing is started."""
    write_config(tmp_path, "timeout = 44\n")
    printed = _ended(tmp_path, *FLAG, "--print-config")
    checked = _ended(tmp_path, *FLAG, "--check-config")

    assert (printed.returncode, checked.returncode) == (0, 0), printed.stderr + checked.stderr
    assert [line.split() for line in printed.stdout.splitlines() if line.startswith(("timeout ", "keepalive "))] == [
        ["keepalive", "=", "10"],
        ["timeout", "=", "44"],
    ]


@pytest.mark.parametrize("name", ["gunicorn_autotune", "gunicorn_autotune.install", "gunicorn_autotune.config"])
@pytest.mark.parametrize("by", ["command line", "GUNICORN_CMD_ARGS"])
def test_a_slip_of_the_flag_is_refused_with_the_right_words(name: str, by: str, tmp_path: Path) -> None:
    """Plain Gunicorn would start without a word for the first of them."""
    arguments = ("-c", f"python:{name}")
    ended = (
        _ended(tmp_path, *arguments)
        if by == "command line"
        else _ended(tmp_path, env={"GUNICORN_CMD_ARGS": " ".join(arguments)})
    )

    assert (ended.returncode, ended.stderr.strip()) == (
        1,
        f"Error: -c python:{name} is no configuration; did you mean -c python:gunicorn_autotune.conf?",
    )


def test_a_module_of_theirs_that_imports_us_is_no_slip(tmp_path: Path) -> None:
    """`-c python:shop_settings` with install() in it starts."""
    (tmp_path / "shop_settings.py").write_text("from gunicorn_autotune import install\ninstall(globals())\n")
    with launched(tmp_path, "-c", "python:shop_settings") as server:
        server.wait_for_ready(2)


def test_another_program_that_imports_the_module_executes_no_file(tmp_path: Path) -> None:
    """`import gunicorn_autotune.conf` in a script beside a gunicorn.conf.py reads nothing of theirs."""
    write_config(tmp_path, "print('executed')\n")
    words = [*command([])[:1], "-c", "import gunicorn_autotune.conf as it; print(it.keepalive)"]
    ended = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True)

    assert ended.stdout == "10\n"
