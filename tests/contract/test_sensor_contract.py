"""What every sensor promises: a reading, Missing or Unlimited; no exception for a host's fault; nothing negative."""

import errno
import os
import shutil
import socket
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from gunicorn_autotune.model.readings import Missing, Unlimited
from gunicorn_autotune.sensors import host_psutil, limits, process_psutil
from gunicorn_autotune.sensors.cgroup import find_cgroup, read_host
from gunicorn_autotune.sensors.listeners import read_listener, read_reuse_port
from gunicorn_autotune.sensors.memory import read_memory
from gunicorn_autotune.sensors.pressure import read_pressure
from gunicorn_autotune.sensors.process import open_process
from gunicorn_autotune.sensors.queue_time import socket_queue_seconds

HOSTS = Path(__file__).parents[1] / "fixtures" / "hosts"
PID = 4711
WORKER = {
    "stat": f"{PID} (gunicorn) S 1 1 1 0 -1 0 9 0 0 0 120 30 0 0 20 0 2 0 1151 31334400 4382 184467 1 1 0 0 0 0 0\n",
    "statm": "8089 4382 2000 1 0 3000 0\n",
    "schedstat": "1500000000 20000000 99\n",
    "task/4711/schedstat": "1500000000 20000000 99\n",
    "task/4712/schedstat": "500000000 10000000 42\n",
    "smaps_rollup": "Rss: 40 kB\nPss: 30 kB\nPrivate_Clean: 4 kB\nPrivate_Dirty: 16 kB\n",
}


def process_reading(root):
    """open, read, close, as one answer."""
    probe = open_process(PID, root / "proc")
    if isinstance(probe, Missing):
        return probe
    reading = probe.read()
    probe.close()
    return reading


SENSORS = {
    "host": lambda root: read_host(find_cgroup(root)),
    "memory": lambda root: read_memory(PID, root / "proc"),
    "pressure": lambda root: read_pressure("cpu", f"{root}/sys/fs/cgroup/unified", root / "proc"),
    "process": process_reading,
    "somaxconn": lambda root: limits.read_somaxconn(root / "proc"),
    "filesystem": lambda root: limits.read_filesystem(Path("/srv"), root / "proc"),
}

DAMAGE = {
    "empty": b"",
    "blank": b"\n",
    "garbage": b"no such thing\nas a number: here\n",
    "binary": bytes(range(256)) * 8,
    "negative": b"-5\n",
    "huge": b"9" * 5000,
    "not a number": b"some avg10=nan avg60=nan avg300=nan total=inf\nMemTotal: nan kB\nnan nan\n",
    "half a line": b"some avg10=",
    "numbers without words": b"1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24\n",
}


@pytest.fixture(params=["v2-nested", "hybrid", "cgroup-v1", "none"])
def root(request, tmp_path):
    """A recorded host with one worker on it, to be damaged."""
    root = Path(shutil.copytree(HOSTS / request.param, tmp_path / request.param))
    for name, text in WORKER.items():
        path = root / "proc" / str(PID) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def answers(reading):
    """Every leaf of a reading, with its field's name."""
    if isinstance(reading, tuple):
        yield from (("", leaf) for leaf in reading)
    elif is_dataclass(reading) and not isinstance(reading, (Missing, Unlimited)):
        for field in fields(reading):
            for name, leaf in answers(getattr(reading, field.name)):
                yield f"{field.name}.{name}", leaf
    else:
        yield "", reading


def keeps_the_contract(reading, names):
    """Each leaf is a number of at least zero, a word, Unlimited, or a Missing that says what it looked at."""
    for field, leaf in answers(reading):
        if isinstance(leaf, Missing):
            assert any(name in leaf.why for name in names), (field, leaf)
        elif not isinstance(leaf, (Unlimited, str)):
            assert isinstance(leaf, (int, float)), (field, leaf)
            assert 0 <= leaf < float("inf"), (field, leaf)
    return True


@pytest.mark.parametrize("sensor", SENSORS.values(), ids=SENSORS)
def test_sound_host_is_read(sensor, root):
    """The undamaged tree gives numbers or says why not."""
    assert keeps_the_contract(sensor(root), [str(root)])


@pytest.mark.parametrize("sensor", SENSORS.values(), ids=SENSORS)
def test_absent_tree_is_missing(sensor, tmp_path):
    """Nothing there at all: Missing names what was looked for."""
    assert keeps_the_contract(sensor(tmp_path / "nowhere"), ["nowhere"])


@pytest.mark.parametrize("content", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("spared", ["nothing", "proc/self"])
def test_damaged_files_never_raise(content, spared, root):
    """Whatever a file holds, every sensor answers; with proc/self spared the damage reaches the controllers' files."""
    for path in [path for path in root.rglob("*") if path.is_file() and spared not in str(path.relative_to(root))]:
        path.write_bytes(content)

    assert all(keeps_the_contract(sensor(root), [str(root), "PSI"]) for sensor in SENSORS.values())


def test_directories_in_place_of_files_never_raise(root):
    """EISDIR on every read."""
    for path in [path for path in root.rglob("*") if path.is_file() and "proc/self" not in str(path)]:
        path.unlink()
        path.mkdir()

    assert all(keeps_the_contract(sensor(root), [str(root)]) for sensor in SENSORS.values())


@pytest.mark.parametrize(
    "number", [errno.EACCES, errno.EPERM, errno.ENODEV, errno.EOPNOTSUPP, errno.ESRCH, errno.EMFILE]
)
@pytest.mark.parametrize("call", ["open", "read", "pread"])
def test_refusals_of_the_kernel_are_missing(call, number, root, monkeypatch):
    """A hidden /proc, a removed cgroup, PSI switched off, a process that died, no descriptors left."""

    def refuse(path_or_descriptor, *_args):
        raise OSError(number, os.strerror(number), path_or_descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, call, refuse)
        readings = [sensor(root) for sensor in SENSORS.values()]

    assert all(keeps_the_contract(reading, [str(root)]) for reading in readings)


def sockets():
    """One of each kind a listener sensor may be handed by mistake, and one listener."""
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    left, right = socket.socketpair()
    udp, closed = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket()
    closed.close()
    return [listener, client, left, right, udp, closed]


def test_socket_sensors_answer_for_every_kind_of_socket():
    """Listener, client, UNIX pair, UDP, closed: a count, None or a Missing that names a fact."""
    opened = sockets()
    facts = ["listen", "TCP_INFO", "closed", "descriptor", "family", "Protocol"]
    try:
        assert all(keeps_the_contract(read_listener(sock, "a:1", 64), facts) for sock in opened)
        assert all(waited is None or waited >= 0 for waited in map(socket_queue_seconds, opened))
    finally:
        for sock in opened:
            sock.close()


def test_listener_sensor_answers_for_descriptors_that_are_no_sockets():
    """A pipe, a file, a directory, -1."""
    reader, writer = os.pipe()
    directory = os.open("/", os.O_RDONLY)
    try:
        for descriptor in (reader, writer, directory, -1):
            assert keeps_the_contract(read_listener(descriptor, "a:1", 64), ["listener: "])
    finally:
        for descriptor in (reader, writer, directory):
            os.close(descriptor)


@pytest.mark.parametrize("address", ["", "unix:/x", "127.0.0.1:1", ("::1", 1), "[fe80::1%eth0]:1", "no.such:1", ":", 7])
def test_reuse_port_sensor_answers_for_every_address(address):
    """An address nobody listens on, or that is none, is Missing."""
    assert keeps_the_contract(read_reuse_port(address, 64), ["address", "no socket listens"])


def test_open_files_limit_keeps_the_contract():
    """A number or Unlimited."""
    assert keeps_the_contract(limits.read_open_files_limit(), [])


def test_psutil_sensors_keep_the_contract():
    """The stand-ins for hosts without /proc, on this host and on a pid that is not there."""
    probe = process_psutil.open_process(os.getpid())

    assert keeps_the_contract(probe.read(), ["psutil"])
    assert keeps_the_contract(process_psutil.open_process(2**31 - 1), ["psutil"])
    assert keeps_the_contract(host_psutil.read_host(), ["no /proc"])
