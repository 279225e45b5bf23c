"""What somebody wrote for Gunicorn's `workers` is what they get, wherever they wrote it."""

from __future__ import annotations

import select
import signal
from pathlib import Path

import pytest

from gunicorn_autotune.cli.commanding import send_command
from tests.server import Server, launched, wait_for, write_config

pytestmark = pytest.mark.real
INSTALL = "from gunicorn_autotune import install\ninstall(globals())\n"
FLAG = ("-c", "python:gunicorn_autotune.conf")
STAYS_ONE = "workers = 1 is written, so there is one worker, always; max_workers"


def _pressed(server: Server) -> None:
    """A queue that would make any count grow, seen by some ticks."""
    for _ in range(8):
        server.hold("/sleep?s=0.3")
    ticks = server.wait_for_status(
        lambda status: status["listeners"][0]["backlog"] > 4 and status["tally"]["ticks"], "a queue"
    )
    server.wait_for_status(lambda status: status["tally"]["ticks"] > ticks + 2, "more ticks")
    for client in server.held:  # Gunicorn 27 waits two seconds for each client to close first
        client.close()


def _plain(folder: Path, arguments: list[str], env: dict[str, str], config: str) -> int:
    """How many workers Gunicorn starts with the same words and without us."""
    folder.mkdir()
    (folder / "gunicorn.conf.py").write_text(config)
    with launched(folder, *arguments, env=env) as server:
        server.wait_for_log("Booting worker")
        return len(server.wait_for_workers(1))


@pytest.mark.parametrize(
    ("arguments", "env", "config"),
    [
        ([], {}, "workers = 1\n"),
        ([], {}, "workers = '1'\npreload_app = True\n"),
        (["-w", "1", "--threads", "8"], {}, ""),
        ([], {"WEB_CONCURRENCY": "1"}, ""),
        ([], {"GUNICORN_CMD_ARGS": "--workers 1"}, ""),
    ],
)
def test_one_worker_stays_one(arguments: list[str], env: dict[str, str], config: str, tmp_path: Path) -> None:
    """In a file, on the command line and in both variables; a line says how to allow more."""
    plain = _plain(tmp_path / "plain", arguments, env, config)
    write_config(tmp_path, config + INSTALL)
    with launched(tmp_path, *arguments, env=env) as server:
        server.wait_for_ready(1)
        if config == "workers = 1\n":
            _pressed(server)
        pids, said = server.wait_for_workers(1), server.log.count(STAYS_ONE)
        server.signal(signal.SIGHUP)
        server.wait_for_log("Handling signal: hup")
        server.wait_for_status(
            lambda status: [one["pid"] for one in status["workers"]] not in ([], pids) and len(status["workers"]) == 1,
            "one new worker",
        )

    assert (plain, len(pids), said, server.log.count(STAYS_ONE)) == (1, 1, 1, 1)


def test_one_worker_that_an_operator_recycles_leaves_before_the_next(tmp_path: Path) -> None:
    """Never two: its request ends, others wait in the kernel's queue and are answered. WINCH is not what this was."""
    write_config(tmp_path, "workers = 1\n" + INSTALL)
    with launched(tmp_path) as server:
        (old,) = server.wait_for_ready(1)
        command_socket = server.status()["server"]["command_socket"]
        running = server.hold("/sleep?s=0.5")
        server.wait_for_status(lambda status: status["workers"][0]["state"] == "busy", "a running request")
        send_command(command_socket, {"command": "recycle", "slots": "all"})
        server.wait_for_log("workers=1->0 action=shrink reason=drain_first cause=operator")
        clients, answers, most = [running, *[server.hold("/") for _ in range(3)]], [], 0

        def replaced() -> bool:
            nonlocal most
            most = max(most, len(pids := server.workers()))
            for client in select.select(clients, [], [], 0.0)[0]:
                answers.append(client.recv(15))
                clients.remove(client)
                client.close()  # Gunicorn 27 waits two seconds for it
            return not clients and len(pids) == 1 and pids != [old]

        wait_for(replaced, "one new worker, and every answer")
        server.wait_for_ready(1)
        left = server.metric('gunicorn_worker_exits_total{reason="recycle_operator"}')

    assert (most, left, answers) == (1, 1.0, [b"HTTP/1.1 200 OK"] * 4)


def test_one_worker_grows_once_more_are_allowed_and_shrinks_back(tmp_path: Path) -> None:
    """With max_workers beside workers = 1 it begins with one; our default minimum of two is not forced on it."""
    write_config(tmp_path, "workers = 1\n" + INSTALL.replace("globals()", "globals(), max_workers=4"))
    with launched(tmp_path) as server:
        server.wait_for_ready(1)
        for _ in range(8):
            server.hold("/sleep?s=1.5")
        server.wait_for_log("resize workers=1->")
        least = server.status()["policy"]["min_workers"]

    assert (least, STAYS_ONE in server.log) == (1, False)


def test_more_than_the_automatic_maximum_is_started_and_kept(tmp_path: Path) -> None:
    """-w 12 where our own maximum is 9 are 12 with a row each; nothing is taken back at once."""
    env = {"GUNICORN_AUTOTUNE_CPU_LIMIT_CORES": "0.1", "GUNICORN_AUTOTUNE_MEMORY_LIMIT_BYTES": str(8 << 30)}
    with launched(tmp_path, *FLAG, "-w", "12", "--preload", env=env) as server:
        server.wait_for_ready(12)
        ticks = server.status()["tally"]["ticks"]
        server.wait_for_status(lambda status: status["tally"]["ticks"] > ticks + 6, "more ticks")
        status = server.status()

    assert (len(status["workers"]), status["target"], status["policy"]["max_workers"]) == (12, 12, 12)
    assert server.log.count("max_workers is 12, not the automatic 9: workers = 12 is written") == 1
    assert ("scoreboard full" in server.log, "resize" in server.log) == (False, False)


def test_a_written_bound_beats_and_is_said(tmp_path: Path) -> None:
    """max_workers = 3 beside -w 6 starts three, in one line."""
    with launched(tmp_path, *FLAG, "-w", "6", env={"GUNICORN_AUTOTUNE_MAX_WORKERS": "3"}) as server:
        server.wait_for_ready(3)

    assert server.log.count("3 workers are started, not the written workers = 6: max_workers = 3") == 1


def test_a_number_changed_in_the_file_is_obeyed_by_hup_and_an_unchanged_one_keeps_the_tuned_count(
    tmp_path: Path,
) -> None:
    """2, then tuned by TTIN to 3: a HUP keeps 3; a written 4 gives 4; without the line 4 stay; 1 gives one."""
    path = write_config(tmp_path, "workers = 2\n" + INSTALL)
    with launched(tmp_path) as server:
        server.wait_for_ready(2)
        server.signal(signal.SIGTTIN)
        counts = [len(server.wait_for_ready(3))]
        for number, (written, expected) in enumerate(
            [("workers = 2\n", 3), ("workers = 4\n", 4), ("", 4), ("workers = 1\n", 1)]
        ):
            path.write_text(written + INSTALL)
            before = set(server.workers())
            server.signal(signal.SIGHUP)
            server.wait_for_log("Handling signal: hup", count=number + 1)
            server.wait_for_status(
                lambda status, before=before: not before & {one["pid"] for one in status["workers"]}, "a new set"
            )
            counts.append(len(server.wait_for_ready(expected)))

    assert counts == [3, 3, 4, 4, 1]


@pytest.mark.parametrize("arguments", [(), FLAG], ids=["plain", "autotune"])
def test_a_process_for_each_request_is_one_for_each_request(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """max_requests = 1 is meant: no worker answers twice, with autotune as without."""
    with launched(tmp_path, *arguments, "-w", "2", "--max-requests", "1") as server:
        server.wait_for_workers(2)
        pids = [server.get("/pid")[1] for _ in range(8)]

    assert (len(set(pids)), "max_requests" in server.log) == (8, False)


def test_max_requests_kept_by_us_is_said_once(tmp_path: Path) -> None:
    """The one line names the setting that gives it back to Gunicorn, and a HUP does not repeat it."""
    with launched(tmp_path, *FLAG, "--max-requests", "1000") as server:
        server.wait_for_ready(2)
        server.signal(signal.SIGHUP)
        server.wait_for_log("Handling signal: hup")
        server.wait_for_ready(2)

    assert server.log.count("max_requests = 1000 is kept by autotune") == 1
