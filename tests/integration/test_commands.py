"""The command socket of a real Gunicorn: private, always there while it runs, gone with it, and never its trouble."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gunicorn_autotune.cli.commanding import send_command
from tests.faults.processes import descriptors
from tests.server import GUNICORN, Server, environment, serving, wait_for

pytestmark = pytest.mark.real
NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
STRANGER = """
import json, os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
own.bind(""); own.settimeout(20)
try:
    own.connect(sys.argv[1]); own.send(sys.argv[2].encode()); print(own.recv(65536).decode())
except OSError as error:
    print(type(error).__name__)
"""


def socket_of(server: Server) -> str:
    """Its path, once the status document tells it."""
    path: str = server.wait_for_status(lambda status: status["server"]["command_socket"], "a command socket")
    return path


def recycle(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, from outside."""
    command = [GUNICORN, "-m", "gunicorn_autotune", "recycle", "--server", f"127.0.0.1:{server.metrics_port}"]
    return subprocess.run([*command, *arguments], env=environment({}), capture_output=True, text=True, timeout=60)


def stranger(path: str, command: str) -> str:
    """What another user gets for `command`: a reply, or the name of an error."""
    asked = [sys.executable, "-c", STRANGER, path, command]
    return subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True).stdout.strip()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder with a short name that every user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="autotune-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


def test_the_socket_is_its_owners_alone_and_answers(tmp_path: Path) -> None:
    """0600 in a folder of 0700, both of the user the arbiter runs as; a ping is answered by the arbiter."""
    with serving(tmp_path) as server:
        path = Path(socket_of(server))
        found, folder = path.lstat(), path.parent.lstat()
        reply = send_command(str(path), {"command": "ping"})

    assert (True, 0o600, os.geteuid()) == (stat.S_ISSOCK(found.st_mode), stat.S_IMODE(found.st_mode), found.st_uid)
    assert (0o700, os.geteuid()) == (stat.S_IMODE(folder.st_mode), folder.st_uid)
    assert ("active", server.process.pid, [f"127.0.0.1:{server.port}"]) == (reply["mode"], reply["pid"], reply["bind"])


@as_root
def test_another_user_is_refused_twice(tmp_path: Path, open_folder: Path) -> None:
    """By the mode of the file; and, where somebody opened that, by the uid the kernel tells."""
    path = str(open_folder / "c")
    asked = json.dumps({"command": "recycle", "slots": "all"})
    with serving(tmp_path, command_socket=path) as server:
        socket_of(server)
        closed = stranger(path, asked)
        Path(path).chmod(0o666)
        opened = json.loads(stranger(path, asked))
        logged = server.wait_for_log(rf"command refused \(logged once\) .* uid={NOBODY} pid=\d+")

    assert ("PermissionError", False, True) == (closed, opened["ok"], bool(logged))
    assert f"uid {NOBODY}: only root and uid 0 may command this server" == opened["error"]


@as_root
def test_workers_of_another_user_can_not_command_the_arbiter(tmp_path: Path) -> None:
    """The app runs as nobody, the arbiter as root: the socket is root's."""
    with serving(tmp_path, f"user = {NOBODY}\ngroup = {NOBODY}") as server:
        path = socket_of(server)
        answer = stranger(path, '{"command": "ping"}')

    assert "PermissionError" == answer


def test_no_worker_holds_the_socket(tmp_path: Path) -> None:
    """Workers forked after it was made close it."""
    with serving(tmp_path) as server:
        path = socket_of(server)
        before = server.wait_for_ready(2)
        server.signal(signal.SIGHUP)
        workers = wait_for(
            lambda: pids if len(pids := server.pids("idle")) == 2 and not set(pids) & set(before) else None,
            "two new workers",
        )
        bound = next(line.split() for line in Path("/proc/net/unix").read_text().splitlines() if line.endswith(path))
        holders = [pid for pid in (server.process.pid, *workers) if f"socket:[{bound[6]}]" in descriptors(pid)]

    assert [server.process.pid] == holders


def flood(path: str, count: int, ended: threading.Event) -> None:
    """Garbage, as fast as the kernel takes it; what it does not take is thrown away."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        for number in range(count):
            try:
                client.sendto(b'{"command": "\x1b[2J' + bytes([number % 256]) * 200, path)
            except BlockingIOError:
                continue
    ended.set()


def test_a_flood_of_garbage_stops_nothing(tmp_path: Path) -> None:
    """10,000 datagrams: every request is answered, one line is logged, the next command is obeyed."""
    with serving(tmp_path) as server:
        path, ended = socket_of(server), threading.Event()
        thread = threading.Thread(target=flood, args=(path, 10_000, ended))
        thread.start()
        answers = {server.get()[0]}
        while not ended.is_set():
            answers.add(server.get()[0])
        thread.join()
        reply = send_command(path, {"command": "ping"})
        refused = server.wait_for_status(lambda status: status["tally"]["commands_refused"], "refusals counted")
        lines = [line for line in server.log.splitlines() if "command refused" in line]

    assert ({200}, True, True, 1) == (answers, reply["ok"], refused > 0, len(lines))
    assert "\x1b" not in lines[0]


def test_a_stop_removes_the_socket(tmp_path: Path) -> None:
    """And a client is told that nobody is there."""
    with serving(tmp_path) as server:
        path = socket_of(server)
        server.stop()
        ended = recycle(server, "--all")

    assert (False, 2) == (Path(path).exists(), ended.returncode)
    assert "nothing answers at" in ended.stderr


def test_a_reload_keeps_the_socket_and_moves_it_when_told(tmp_path: Path, open_folder: Path) -> None:
    """The same file while the setting stays; another one at the next tick when it changes."""
    with serving(tmp_path) as server:
        path = socket_of(server)
        inode = Path(path).lstat().st_ino
        server.signal(signal.SIGHUP)
        server.wait_for_log("Hang up|Handling signal: hup")
        server.wait_for_log("Booting worker", count=4)
        kept = send_command(path, {"command": "ping"})["ok"], Path(path).lstat().st_ino
        config = tmp_path / "gunicorn.conf.py"
        config.write_text(
            config.read_text().replace("install(globals(),", f"install(globals(), command_socket='{open_folder}/c',")
        )
        server.signal(signal.SIGHUP)
        moved = server.wait_for_status(lambda status: status["server"]["command_socket"] != path, "another socket")
        reply = send_command(f"{open_folder}/c", {"command": "ping"})
        left = Path(path).exists()

    assert ((True, inode), True, True, False) == (kept, bool(moved), reply["ok"], left)


def test_an_upgrade_has_two_sockets_and_then_one(tmp_path: Path) -> None:
    """Each arbiter has a path by its own pid; the old one takes its file along."""
    with serving(tmp_path, f"pidfile = '{tmp_path}/g.pid'") as server:
        old_path = socket_of(server)
        server.signal(signal.SIGUSR2)
        new = int(wait_for(lambda: (tmp_path / "g.pid.2").read_text(), "the new master's pid file"))
        new_path = str(Path(old_path).with_name(f"{new}.sock"))
        try:
            wait_for(lambda: Path(new_path).exists(), "the new master's socket")
            replies = [send_command(path, {"command": "ping"})["pid"] for path in (old_path, new_path)]
            server.stop()
            alone = Path(old_path).exists(), send_command(new_path, {"command": "ping"})["pid"]
        finally:
            os.kill(new, signal.SIGTERM)
            wait_for(lambda: not Path(f"/proc/{new}").exists(), "the end of the new master")

    assert ([server.process.pid, new], (False, new), False) == (replies, alone, Path(new_path).exists())


def test_a_configured_path_is_not_stolen_in_an_upgrade(tmp_path: Path, open_folder: Path) -> None:
    """The new arbiter waits for the old one's file, says so once, and takes over when it is gone."""
    path = str(open_folder / "c")
    with serving(tmp_path, f"pidfile = '{tmp_path}/g.pid'", command_socket=path) as server:
        socket_of(server)
        server.signal(signal.SIGUSR2)
        new = int(wait_for(lambda: (tmp_path / "g.pid.2").read_text(), "the new master's pid file"))
        try:
            server.wait_for_log("could not create the command socket; .*error='another server listens there'")
            during = send_command(path, {"command": "ping"})["pid"]
            server.stop()
            wait_for(lambda: Path(path).exists(), "the new master's socket")
            after = send_command(path, {"command": "ping"})["pid"]
        finally:
            os.kill(new, signal.SIGTERM)
            wait_for(lambda: not Path(f"/proc/{new}").exists(), "the end of the new master")

    assert (server.process.pid, new) == (during, after)


@pytest.mark.parametrize("broken", ["symlink", "missing folder"])
def test_a_socket_that_cannot_be_made_costs_one_line(broken: str, tmp_path: Path, open_folder: Path) -> None:
    """The server serves and tunes on without; the command says what is missing."""
    path = open_folder / "no" / "c"
    if broken == "symlink":
        path = open_folder / "c"
        path.symlink_to("/etc/passwd")
    with serving(tmp_path, command_socket=str(path)) as server:
        server.wait_for_log("could not create the command socket; Gunicorn keeps serving path=.* error=")
        answer, document = server.get()[0], server.status()
        ended = recycle(server, "--all")

    assert (200, "", {}) == (answer, document["server"]["command_socket"], errors(document))
    assert (2, True) == (ended.returncode, "this server has no command socket" in ended.stderr)


def errors(document: dict[str, Any]) -> dict[str, int]:
    """Faults of ours that were counted."""
    return {stage: count for stage, count in document["tally"]["errors"].items() if count}


def test_the_command_queues_a_recycle_and_the_log_says_who_asked(tmp_path: Path) -> None:
    """Found through the exporter; an unknown slot is exit code 1."""
    with serving(tmp_path) as server:
        socket_of(server)
        server.wait_for_ready(2)
        queued = recycle(server, "--slot", "0", "--json")
        logged = server.wait_for_log(rf"recycle asked slots=0 uid={os.geteuid()} pid=\d+")
        refused = recycle(server, "--slot", "7")

    assert (0, [0]) == (queued.returncode, json.loads(queued.stdout)["slots"]), logged
    assert (1, "", True) == (refused.returncode, refused.stdout, "slot 7: holds no worker" in refused.stderr)


def test_an_observer_refuses(tmp_path: Path) -> None:
    """mode = observe changes no worker, whoever asks."""
    with serving(tmp_path, mode="observe") as server:
        socket_of(server)
        ended = recycle(server, "--all")

    assert (1, True) == (ended.returncode, "refused: mode is observe" in ended.stderr)


def test_off_is_off(tmp_path: Path) -> None:
    """No file, no path."""
    with serving(tmp_path, command_socket="off") as server:
        ended = recycle(server, "--all")
        said = server.log

    assert (2, False) == (ended.returncode, "command socket path" in said)
