"""Sensors on the real kernel: loopback sockets, burning processes, and a cgroup made for the test."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gunicorn_autotune.model.readings import UNLIMITED, ListenerReading, Missing
from gunicorn_autotune.sensors.cgroup import find_cgroup, read_host
from gunicorn_autotune.sensors.listeners import read_listener, read_reuse_port, read_reuse_port_backlog
from gunicorn_autotune.sensors.memory import read_memory
from gunicorn_autotune.sensors.process import open_process
from gunicorn_autotune.sensors.queue_time import socket_queue_seconds

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the Linux kernel"),
    pytest.mark.once,
]

MIB = 1 << 20
V1_MEMORY = Path("/sys/fs/cgroup/memory")
BURN = "import os\nos.sched_setaffinity(0, {cpu})\nprint('up', flush=True)\nwhile True: pass"
BURN_IN_THREAD = """
import threading, time
def burn():
    end = time.thread_time() + 0.3
    while time.thread_time() < end: pass
threads = [threading.Thread(target=burn) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print('up', flush=True)
input()
"""


def eventually(look, seconds=20.0):
    """The first true answer of `look`, polled; the last answer when the deadline passes."""
    deadline = time.monotonic() + seconds
    while not (answer := look()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return answer


@contextlib.contextmanager
def waiting(family, address, count):
    """`count` connections to `address` that nobody accepts."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(socket.socket(family))
            client.settimeout(10)
            client.connect(address)
        yield


@contextlib.contextmanager
def running(*arguments):
    """A Python child that has said it is up."""
    child = subprocess.Popen(
        [sys.executable, "-c", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    try:
        assert child.stdout.readline() == "up\n"
        yield child
    finally:
        child.kill()
        child.communicate()


@pytest.mark.parametrize("count", [0, 1, 5])
def test_unix_listener_reads_its_waiting_connections(tmp_path, count):
    """k connections that nobody accepts read as k, with the limit given to listen()."""
    path = str(tmp_path / "gunicorn.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(17)
        with waiting(socket.AF_UNIX, path, count):
            by_socket = read_listener(listener, f"unix:{path}", 2048)
            by_descriptor = read_listener(listener.fileno(), f"unix:{path}", 2048)

    assert by_socket == by_descriptor == ListenerReading(f"unix:{path}", count, 17)


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
@pytest.mark.parametrize("count", [0, 1, 5])
def test_tcp_listener_reads_its_waiting_connections(family, host, count):
    """The same for TCP over v4 and v6."""
    with listening(family, host) as listener, waiting(family, listener.getsockname()[:2], count):
        expected = ListenerReading("a", count, 17)

        assert eventually(lambda: read_listener(listener, "a", 2048) == expected), read_listener(listener, "a", 2048)


def listening(family, host, port=0, reuse_port=False):
    """A TCP listener with room for 17, or a skip where the host has no such family."""
    listener = socket.socket(family)
    try:
        if reuse_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        pytest.skip(f"no loopback for {host}: {error}")
    listener.listen(17)
    return listener


def test_inherited_socket_with_a_wrong_family_is_read_by_what_it_is():
    """Gunicorn wraps inherited descriptors as AF_UNIX whatever they are: the kernel is asked, not Python."""
    with listening(socket.AF_INET, "127.0.0.1") as listener:
        wrapped = socket.fromfd(listener.fileno(), socket.AF_UNIX, socket.SOCK_STREAM)
        with wrapped:
            assert read_listener(wrapped, "a", 2048) == ListenerReading("a", 0, 17)


def test_several_listeners_read_each_its_own_backlog(tmp_path):
    """TCP and UNIX at once: no figure is mixed up with another's."""
    path = str(tmp_path / "gunicorn.sock")
    with listening(socket.AF_INET, "127.0.0.1") as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(path)
        unix.listen(9)
        with waiting(socket.AF_INET, tcp.getsockname(), 2), waiting(socket.AF_UNIX, path, 3):

            def both():
                return read_listener(tcp, "tcp", 64).backlog, read_listener(unix, "unix", 64).backlog

            assert eventually(lambda: both() == (2, 3)), both()


@pytest.mark.parametrize(("family", "host", "name"), [(socket.AF_INET, "127.0.0.1", "127.0.0.1:{}"),
                                                       (socket.AF_INET6, "::1", "[::1]:{}")])  # fmt: skip
def test_reuse_port_sums_over_the_sockets_of_all_workers(family, host, name):
    """Three sockets on one port: the kernel spreads 8 connections over them, the sum is 8, the limit 3 x 17."""
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(listening(family, host, reuse_port=True))
        port = first.getsockname()[1]
        for _ in range(2):
            stack.enter_context(listening(family, host, port, reuse_port=True))
        stack.enter_context(waiting(family, (host, port), 8))
        address = name.format(port)
        expected = ListenerReading(address, 8, 51)

        assert eventually(lambda: read_reuse_port(address, 2048) == expected), read_reuse_port(address, 2048)
        assert read_reuse_port_backlog((host, port)) == 8


def test_proc_net_tcp_tells_the_same_as_netlink(monkeypatch):
    """The fallback for hosts that refuse netlink agrees on the backlog."""
    with listening(socket.AF_INET, "127.0.0.1") as listener, waiting(socket.AF_INET, listener.getsockname(), 4):
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        eventually(lambda: read_reuse_port_backlog(address) == 4)

        def refused(*_args, **_kwargs):
            raise PermissionError(1, "Operation not permitted")

        with monkeypatch.context() as patched:
            patched.setattr(socket, "socket", refused)
            fallback = read_reuse_port_backlog(address)

    assert fallback == 4


def test_accepted_connection_tells_how_long_its_data_waited():
    """tcpi_last_data_recv right after accept is the time the request lay in the kernel."""
    with listening(socket.AF_INET, "127.0.0.1") as listener, socket.create_connection(listener.getsockname()) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        sent = time.monotonic()
        accepted, _ = listener.accept()
        with accepted:
            waited = eventually(lambda: (seconds := socket_queue_seconds(accepted)) and seconds >= 0.15 and seconds)

            assert waited == pytest.approx(time.monotonic() - sent, abs=0.1)


def test_crowded_process_waits_as_long_as_it_runs():
    """Two burners on one core: CPU and run-queue delay of one of them add up to the wall clock."""
    cpu = min(os.sched_getaffinity(0))
    code = BURN.replace("{cpu}", f"{{{cpu}}}")
    with running(code) as burner, running(code):
        probe = open_process(burner.pid)
        early, before, started = time.monotonic(), probe.read(), time.monotonic()
        eventually(lambda: probe.read().run_delay_seconds - before.run_delay_seconds > 1.0)
        ended, after, late = time.monotonic(), probe.read(), time.monotonic()
        probe.close()

    used = after.cpu_seconds - before.cpu_seconds
    delayed = after.run_delay_seconds - before.run_delay_seconds
    assert delayed > 1.0
    # A virtual machine may be held back by its host, and that stands in neither.
    assert 0.5 * (ended - started) <= used + delayed <= 1.15 * (late - early)


def test_cpu_of_exited_threads_is_kept():
    """Three threads that burned 0.3 s each and exited still count, though task/ shows them no more."""
    with running(BURN_IN_THREAD) as child:
        probe = open_process(child.pid)
        # join() returns a moment before the kernel has the thread gone.
        eventually(lambda: probe.read().threads == 1)
        reading = probe.read()
        probe.close()

    assert (reading.threads, reading.cpu_seconds > 0.85) == (1, True)


def test_probe_of_a_reaped_process_is_missing():
    """The kept descriptor answers ESRCH, so a stranger that gets the pid is never read."""
    with running("print('up', flush=True); input()") as child:
        probe = open_process(child.pid)
        alive = probe.read()
    dead = probe.read()
    probe.close()

    assert (alive.threads, alive.rss_bytes > MIB) == (1, True)
    assert (dead.threads, isinstance(dead.cpu_seconds, Missing)) == (0, True)
    assert "No such process" in dead.cpu_seconds.why


FORK = """
import os
from gunicorn_autotune.sensors.process import open_process
probe = open_process(os.getpid())
before = set(os.listdir('/proc/self/fd'))
if (child := os.fork()) == 0:
    left = len(os.listdir('/proc/self/fd'))
    os._exit(len(before) - left)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), probe.read().threads)
"""


def test_forked_worker_does_not_keep_the_arbiters_probes_open():
    """A fork closes the 3 inherited descriptors in the child and leaves the parent's probe working."""
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout == "3 1\n"


def test_memory_of_this_process_is_shared_and_private():
    """PSS lies between the private part and the whole resident set."""
    probe = open_process(os.getpid())
    memory, rss_bytes = read_memory(os.getpid()), probe.read().rss_bytes
    probe.close()

    assert 0 < memory.uss_bytes <= memory.pss_bytes <= rss_bytes * 1.1


def test_this_host_is_read():
    """Whatever this host is: memory and cores are known, and used memory is below the limit."""
    reading = read_host(find_cgroup())

    assert 0 < reading.cpu_limit_cores <= len(os.sched_getaffinity(0))
    assert 0 < reading.memory_used_bytes < reading.memory_limit_bytes


@pytest.fixture
def v1_cgroup():
    """A memory cgroup of v1 with a child, both empty and removed afterwards; no process is moved."""
    limit_file = V1_MEMORY / "memory.limit_in_bytes"
    if not limit_file.exists():
        pytest.skip("no cgroup v1 memory controller on this host")
    parent = V1_MEMORY / f"gunicorn-autotune-test-{os.getpid()}"
    try:
        (parent / "child").mkdir(parents=True)
    except OSError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"cannot make a cgroup: {error}")
    yield parent
    (parent / "child").rmdir()
    parent.rmdir()


def as_member_of(tmp_path, cgroup):
    """A root whose /proc/self/cgroup says we are in `cgroup`, over the real cgroup files."""
    (tmp_path / "sys").symlink_to("/sys")
    proc = tmp_path / "proc"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text(Path("/proc/meminfo").read_text())
    (proc / "self/mountinfo").write_text(Path("/proc/self/mountinfo").read_text())
    (proc / "self/cgroup").write_text(f"4:memory:/{cgroup.relative_to(V1_MEMORY)}\n")
    return tmp_path


def test_real_v1_limit_of_the_parent_holds_for_the_child(tmp_path, v1_cgroup):
    """The child shows no limit of its own; hierarchical_memory_limit has the parent's, live changes included."""
    cgroups = find_cgroup(as_member_of(tmp_path, v1_cgroup / "child"))
    limits = []
    for size in (64 * MIB, 48 * MIB):
        (v1_cgroup / "memory.limit_in_bytes").write_text(str(size))
        limits.append(read_host(cgroups).memory_limit_bytes)

    assert limits == [64 * MIB, 48 * MIB]


def test_real_v1_limit_of_the_child_wins_when_tighter(tmp_path, v1_cgroup):
    """Both have a limit, the child's is smaller, and the use is the child's own: nothing."""
    (v1_cgroup / "memory.limit_in_bytes").write_text(str(64 * MIB))
    (v1_cgroup / "child" / "memory.limit_in_bytes").write_text(str(32 * MIB))
    reading = read_host(find_cgroup(as_member_of(tmp_path, v1_cgroup / "child")))

    assert (reading.memory_limit_bytes, reading.memory_used_bytes, reading.oom_kills) == (32 * MIB, 0, 0)


def test_what_a_removed_v1_cgroup_granted_is_unknown(tmp_path, v1_cgroup):
    """A directory that vanishes between two reads gives Missing: not the machine's memory, and no exception."""
    child = v1_cgroup / "grandchild"
    child.mkdir()
    cgroups = find_cgroup(as_member_of(tmp_path, child))
    child.rmdir()
    reading = read_host(cgroups)

    assert isinstance(reading.memory_limit_bytes, Missing)
    assert isinstance(reading.oom_kills, Missing)
    assert reading.cpu_quota_cores is not UNLIMITED
