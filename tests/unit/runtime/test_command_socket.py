"""The command socket on disk: private from the first moment, never stolen, never left behind."""

from __future__ import annotations

import array
import errno
import gc
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gunicorn_autotune.runtime import command_socket
from gunicorn_autotune.runtime.command_socket import LOOK_SECONDS, MOST_AT_ONCE, OFF, CommandSocket

UID = os.geteuid()


class Told:
    """Keeps what was told of paths."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __call__(self, path: str, why: str) -> None:
        """One line."""
        self.lines.append((path, why))


@pytest.fixture
def told() -> Told:
    """What an operator would read."""
    return Told()


@pytest.fixture
def commands() -> Iterator[CommandSocket]:
    """A socket that is not open yet, closed afterwards."""
    one = CommandSocket()
    yield one
    one.close()


@pytest.fixture
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose name is short enough for a socket's path."""
    return tmp_path_factory.mktemp("s")


def client_of(path: Path | str, address: str = "") -> socket.socket:
    """A client with an address of its own."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    client.settimeout(5)
    client.bind(address)
    client.connect(str(path))
    return client


def test_the_file_is_private_whatever_the_umask(commands: CommandSocket, short: Path, told: Told) -> None:
    """A daemon's umask of 0 does not open it."""
    before = os.umask(0)
    try:
        commands.tend(str(short / "c"), 0.0, told)
    finally:
        os.umask(before)
    found = (short / "c").lstat()

    assert (True, 0o600, UID) == (stat.S_ISSOCK(found.st_mode), stat.S_IMODE(found.st_mode), found.st_uid)
    assert [(str(short / "c"), "")] == told.lines


def test_the_file_is_private_where_sockets_have_no_mode(
    commands: CommandSocket, short: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere than on Linux the umask does it, and it is put back."""

    def refuses(*_: object) -> None:
        raise OSError("Invalid argument")

    monkeypatch.setattr(command_socket.os, "fchmod", refuses)
    before = os.umask(0o022)
    try:
        commands.tend(str(short / "c"), 0.0, told)
        after = os.umask(0o022)
    finally:
        os.umask(before)

    assert (0o600, 0o022) == (stat.S_IMODE((short / "c").lstat().st_mode), after)


def test_the_descriptor_does_not_survive_an_exec(commands: CommandSocket, short: Path, told: Told) -> None:
    """The arbiter of a USR2 upgrade has its own."""
    commands.tend(str(short / "c"), 0.0, told)
    assert commands._socket is not None

    assert not os.get_inheritable(commands._socket.fileno())


def test_a_live_servers_path_is_never_taken(short: Path, told: Told) -> None:
    """It is told once, tried again, and taken over when the other one is gone."""
    first, second = CommandSocket(), CommandSocket()
    path = str(short / "c")
    first.tend(path, 0.0, told)
    second.tend(path, 0.0, told)
    second.tend(path, LOOK_SECONDS, told)
    waiting = second.path
    first.close()
    second.tend(path, 2 * LOOK_SECONDS, told)
    taken_over = second.path
    second.close()

    assert ["", "another server listens there", ""] == [why for _, why in told.lines]
    assert ("", path, False) == (waiting, taken_over, (short / "c").exists())


@pytest.mark.parametrize("what", ["file", "folder", "stream"])
def test_what_is_no_socket_of_ours_is_left_alone(what: str, commands: CommandSocket, short: Path, told: Told) -> None:
    """An operator's slip must not remove a file, nor another program's socket."""
    path = short / "c"
    other = None
    if what == "file":
        path.write_text("precious")
    elif what == "folder":
        path.mkdir()
    else:
        other = socket.socket(socket.AF_UNIX)
        other.bind(str(path))
        other.listen(1)
    commands.tend(str(path), 0.0, told)
    if other is not None:
        other.close()

    assert ("", True, 1) == (commands.path, path.exists(), len(told.lines))


def test_a_dead_servers_file_is_replaced(commands: CommandSocket, short: Path, told: Told) -> None:
    """A kill -9 leaves one behind."""
    dead = CommandSocket()
    dead.tend(str(short / "c"), 0.0, told)
    dead.forget()
    commands.tend(str(short / "c"), 0.0, told)

    assert str(short / "c") == commands.path


def test_a_file_that_vanished_is_made_again(commands: CommandSocket, short: Path, told: Told) -> None:
    """Cleaners of temporary folders remove old files."""
    commands.tend(str(short / "c"), 0.0, told)
    (short / "c").unlink()
    commands.tend(str(short / "c"), LOOK_SECONDS, told)

    assert (short / "c").exists()


def test_a_successors_file_is_not_removed(short: Path, told: Told) -> None:
    """Only the file that this process made goes with it."""
    old, new = CommandSocket(), CommandSocket()
    old.tend(str(short / "c"), 0.0, told)
    (short / "c").unlink()
    new.tend(str(short / "c"), 0.0, told)
    old.close()
    there = (short / "c").exists()
    new.close()

    assert (True, False) == (there, (short / "c").exists())


def test_a_forked_worker_closes_it_and_leaves_the_file(commands: CommandSocket, short: Path, told: Told) -> None:
    """Also when the worker ends in an orderly way."""
    commands.tend(str(short / "c"), 0.0, told)
    pid = os.fork()
    if not pid:
        commands.close()
        os._exit(commands.path != "")

    assert (0, True) == (os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), (short / "c").exists())


def test_a_changed_setting_moves_it(commands: CommandSocket, short: Path, told: Told) -> None:
    """A HUP applies it at the next tick; off removes it."""
    for setting in (str(short / "a"), str(short / "b"), OFF):
        commands.tend(setting, 0.0, told)
        if setting != OFF:
            assert [Path(setting).name] == [path.name for path in short.iterdir()]

    assert [] == list(short.iterdir())


def test_a_path_that_is_too_long_is_told_and_no_fault(commands: CommandSocket, short: Path, told: Told) -> None:
    """sockaddr_un holds 107 bytes."""
    commands.tend(f"{short}/{'x' * 120}", 0.0, told)

    assert ("", "AF_UNIX path too long") == (commands.path, told.lines[0][1])


def test_the_folder_is_made_private(short: Path) -> None:
    """0700, and the same one is accepted the next time."""
    folder = short / "f"
    command_socket.secure_folder(folder, UID)
    command_socket.secure_folder(folder, UID)

    assert 0o700 == stat.S_IMODE(folder.stat().st_mode)


@pytest.mark.parametrize(
    ("prepare", "uid", "why"),
    [
        (lambda folder: folder.symlink_to("/"), UID, "is a symlink"),
        (lambda folder: folder.write_text(""), UID, "is no folder"),
        (lambda folder: folder.mkdir(), UID + 1, f"belongs to uid {UID}"),
        (lambda folder: (folder.mkdir(), folder.chmod(0o777)), UID, "can be written by others (mode 777)"),
        (lambda folder: (folder.mkdir(), folder.chmod(0o720)), UID, "can be written by others (mode 720)"),
    ],
)
def test_a_folder_that_others_have_a_say_in_is_refused(prepare, uid, why, short: Path) -> None:
    """Whoever can write there could put his own socket in our place."""
    prepare(short / "f")
    with pytest.raises(PermissionError) as refused:
        command_socket.secure_folder(short / "f", uid)

    assert (why, str(short / "f")) == (refused.value.strerror, refused.value.filename)


def test_a_refused_folder_is_told_once_and_no_fault(
    commands: CommandSocket, short: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No socket then, and no exception either."""
    (short / "f").symlink_to("/")
    monkeypatch.setattr(command_socket, "automatic_folder", lambda *_: short / "f")
    for turn in range(3):
        commands.tend("auto", turn * LOOK_SECONDS, told)

    assert ("", [(str(short / "f"), "is a symlink")]) == (commands.path, told.lines)


def test_sockets_of_dead_arbiters_are_swept_and_all_else_stays(short: Path, told: Told) -> None:
    """By pid and by nobody answering; files of other names are nobody's business."""
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    names = [f"{int(gone.stdout)}.sock", f"{os.getpid()}.sock", "other.sock", "note"]
    for name in names[:3]:
        left = CommandSocket()
        left.tend(str(short / name), 0.0, told)
        left.forget()
    (short / "note").write_text("")
    command_socket.remove_stale(short)

    assert sorted(names[1:]) == sorted(path.name for path in short.iterdir())


def test_the_folder_is_that_of_the_user(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's in /run, whatever XDG_RUNTIME_DIR a sudo brought along; without either, by uid in the temporary folder."""
    monkeypatch.setattr(command_socket.tempfile, "gettempdir", lambda: "/tmp")
    environment = {"XDG_RUNTIME_DIR": str(short)}
    found = [
        command_socket.automatic_folder(0, environment, run=short / "run"),
        command_socket.automatic_folder(0, environment, run=short),
        command_socket.automatic_folder(1000, environment),
        command_socket.automatic_folder(1000, {"XDG_RUNTIME_DIR": str(short / "missing")}),
        command_socket.automatic_folder(1000, {"XDG_RUNTIME_DIR": "."}),
        command_socket.automatic_folder(1000, {}),
    ]
    temporary = Path("/tmp/gunicorn-autotune-1000")

    assert [Path("/tmp/gunicorn-autotune-0"), *[short / "gunicorn-autotune"] * 2, *[temporary] * 3] == found


def test_a_services_own_folder_comes_before_a_tmp_that_may_be_private(short: Path) -> None:
    """RuntimeDirectory= of a unit, root's too where /run cannot be written; not one that others may write to."""
    nowhere, own, mine = short / "nowhere", short / "own", os.geteuid()
    own.mkdir(0o755)
    own.chmod(0o755)
    environment = {"RUNTIME_DIRECTORY": f"{own}:{short}"}
    session = command_socket.automatic_folder(1, environment | {"XDG_RUNTIME_DIR": str(short)})
    found = command_socket.automatic_folder(mine, environment, run=nowhere)
    strangers = command_socket.automatic_folder(mine + 1, environment, run=nowhere)
    own.chmod(0o777)
    shared = command_socket.automatic_folder(mine, environment, run=nowhere)

    assert (session, found) == (short / "gunicorn-autotune", own / "gunicorn-autotune")
    assert own not in (strangers.parent, shared.parent)


def test_a_host_without_any_folder_is_told_by_the_settings_name(
    commands: CommandSocket, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ProtectSystem=strict without PrivateTmp or RuntimeDirectory: Python finds no temporary folder to name."""

    def none_usable(*_: object) -> Path:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(command_socket, "automatic_folder", none_usable)
    commands.tend("auto", 0.0, told)

    assert told.lines == [("auto", "No usable temporary directory found")]


def test_one_tick_takes_so_many_and_the_kernel_keeps_few(commands: CommandSocket, short: Path, told: Told) -> None:
    """A flood costs a bounded time a tick and a bounded buffer."""
    commands.tend(str(short / "c"), 0.0, told)
    with client_of(short / "c") as client:
        client.setblocking(False)
        for _ in range(10_000):
            try:
                client.send(b"x")
            except BlockingIOError:
                break
        else:
            pytest.fail("the kernel took 10,000 datagrams")
        taken = len(list(commands.receive()))

    assert 0 < taken <= MOST_AT_ONCE


def test_a_reply_reaches_its_client_and_an_unreachable_one_is_ignored(
    commands: CommandSocket, short: Path, told: Told
) -> None:
    """An abstract address, a file, and none at all."""
    commands.tend(str(short / "c"), 0.0, told)
    replies = []
    for address in ("", str(short / "me")):
        with client_of(short / "c", address) as client:
            client.send(b"x")
            (datagram,) = commands.receive()
            commands.answer(datagram.sender, {"ok": True})
            replies.append(client.recv(100))
        commands.answer(datagram.sender, {"ok": True})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as nameless:
        nameless.sendto(b"x", str(short / "c"))
        (datagram,) = commands.receive()
        commands.answer(datagram.sender, {"ok": True})

    assert [b'{"ok": true}'] * 2 == replies


@pytest.mark.skipif(command_socket.SO_PASSCRED is None, reason="only Linux tells who sent a datagram")
def test_the_kernel_says_who_sent_it(commands: CommandSocket, short: Path, told: Told) -> None:
    """uid and pid, not what a client claims."""
    commands.tend(str(short / "c"), 0.0, told)
    with client_of(short / "c") as client:
        client.send(b"x")
        (datagram,) = commands.receive()

    assert (UID, os.getpid()) == (datagram.uid, datagram.pid)


def test_descriptors_that_come_along_are_dropped(commands: CommandSocket, short: Path, told: Told) -> None:
    """Nobody fills the arbiter's table of open files."""
    commands.tend(str(short / "c"), 0.0, told)
    sent = array.array("i", [0] * 20)
    with client_of(short / "c") as client:
        gc.collect()  # what an earlier test left open must not be closed in between
        before = len(list(Path("/dev/fd").iterdir()))
        client.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, sent)])
        list(commands.receive())
        after = len(list(Path("/dev/fd").iterdir()))

    assert before == after


def test_a_command_that_is_too_long_is_seen_as_such(commands: CommandSocket, short: Path, told: Told) -> None:
    """A cut one must not be taken for a whole one."""
    commands.tend(str(short / "c"), 0.0, told)
    with client_of(short / "c") as client:
        client.send(b" " * 5000)
        (datagram,) = commands.receive()

    assert 4097 == len(datagram.data)


def test_a_place_that_cannot_be_found_is_told_by_its_setting(
    commands: CommandSocket, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under ProtectSystem=strict there may be no temporary folder at all: that error names no file."""

    def nowhere() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(command_socket, "_automatic_path", nowhere)
    commands.tend("auto", 0.0, told)

    assert told.lines == [("auto", "No usable temporary directory found")]
