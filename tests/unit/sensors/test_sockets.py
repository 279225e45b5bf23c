"""Listener sensors without a connection: addresses, bytes from the kernel, and sockets that are no listeners."""

import errno
import socket
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gunicorn_autotune.model.readings import ListenerReading, Missing
from gunicorn_autotune.sensors import sock_diag
from gunicorn_autotune.sensors.limits import (
    expected_backlog_limit,
    is_in_memory,
    read_filesystem,
    read_open_files_limit,
    read_somaxconn,
)
from gunicorn_autotune.sensors.listeners import parse_tcp_info, read_listener, read_reuse_port, read_reuse_port_backlog
from gunicorn_autotune.sensors.queue_time import socket_queue_seconds
from gunicorn_autotune.sensors.reuse_port import Address, Row, parse_address, parse_listen_rows

HOSTS = Path(__file__).parents[2] / "fixtures" / "hosts"
BOTH = (socket.AF_INET, socket.AF_INET6)
PROC_NET_TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F40 00000000:0000 0A 00000000:00000003 00:00000000 00000000  1000        0 1604 1 0 100 0 0 10 0
   1: 0100007F:1F40 00000000:0000 0A 00000000:00000002 00:00000000 00000000  1000        0 1605 1 0 100 0 0 10 0
   2: 00000000:0050 00000000:0000 0A 00000000:00000009 00:00000000 00000000     0        0 1606 1 0 100 0 0 10 0
   3: 0100007F:1F40 0100007F:C001 01 00000000:00000400 00:00000000 00000000  1000        0 1607 1 0 20 4 30 10 -1
"""


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:8000", Address((socket.AF_INET,), b"\x7f\0\0\1", 8000)),
        ("http://0.0.0.0:80", Address((socket.AF_INET,), b"\0\0\0\0", 80)),
        ("[::1]:8000", Address((socket.AF_INET6,), b"\0" * 15 + b"\1", 8000)),
        ("[127.0.0.1]:8000", Address((socket.AF_INET,), b"\x7f\0\0\1", 8000)),
        ("localhost:8000", Address(BOTH, None, 8000)),
        (":8000", Address(BOTH, None, 8000)),
    ],
)
def test_address_names_families_host_and_port(address, expected):
    """A literal address is looked for as such; a name means the port on any address."""
    assert expected == parse_address(address)


@pytest.mark.parametrize(
    "address", ["", "unix:/run/gunicorn.sock", "127.0.0.1", "127.0.0.1:99999", "h:-1", "h:\N{FULLWIDTH DIGIT ONE}"]
)
def test_address_without_a_port_is_missing(address):
    """reuse_port is about TCP ports only."""
    assert isinstance(parse_address(address), Missing)


@pytest.mark.skipif("sys.byteorder != 'little'")
def test_listen_rows_are_state_0a_and_their_rx_queue():
    """Established rows of the same port hold bytes in that column and must not count."""
    loopback = b"\x7f\0\0\1"

    assert [Row(loopback, 8000, 3), Row(loopback, 8000, 2), Row(b"\0" * 4, 80, 9)] == list(
        parse_listen_rows(PROC_NET_TCP)
    )


@pytest.mark.skipif("sys.byteorder != 'little'")
def test_reuse_port_falls_back_on_proc_net_where_netlink_is_refused(tmp_path, monkeypatch):
    """A seccomp filter may forbid netlink; /proc/net/tcp still tells the backlog, and somaxconn bounds the limit."""
    proc = refuse_netlink(tmp_path, monkeypatch)

    assert ListenerReading("127.0.0.1:8000", 5, 256) == read_reuse_port("127.0.0.1:8000", 2048, proc)


@pytest.mark.skipif("sys.byteorder != 'little'")
def test_reuse_port_by_name_needs_no_ipv6(tmp_path, monkeypatch):
    """A host without IPv6 has no /proc/net/tcp6."""
    proc = refuse_netlink(tmp_path, monkeypatch)

    assert read_reuse_port_backlog(("localhost", 8000), proc) == 5


def test_nobody_listening_is_missing_not_zero(tmp_path, monkeypatch):
    """Before the first worker boots there is no queue, which is not an empty queue."""
    proc = refuse_netlink(tmp_path, monkeypatch)
    answer = read_reuse_port_backlog("127.0.0.1:9", proc)

    assert Missing("no socket listens on 127.0.0.1:9") == answer


def refuse_netlink(tmp_path, monkeypatch):
    """A /proc with recorded TCP tables, and a kernel that opens no socket."""

    def refused(*_args, **_kwargs):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(socket, "socket", refused)
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(PROC_NET_TCP)
    (tmp_path / "sys/net/core").mkdir(parents=True)
    (tmp_path / "sys/net/core/somaxconn").write_text("128\n")
    return tmp_path


def test_unix_without_netlink_is_missing_with_the_expected_limit(tmp_path):
    """A closed listener has no backlog, but the size of its queue is still known."""
    (tmp_path / "sys/net/core").mkdir(parents=True)
    (tmp_path / "sys/net/core/somaxconn").write_text("128\n")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.close()
        reading = read_listener(listener, "unix:/x", 2048, tmp_path)

    assert isinstance(reading.backlog, Missing)
    assert (reading.address, reading.backlog_limit) == ("unix:/x", 128)


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX])
def test_socket_that_does_not_listen_has_no_backlog(family, kind):
    """In other states the same fields count packets or bytes."""
    with socket.socket(family, kind) as sock:
        assert isinstance(read_listener(sock, "x", 5).backlog, Missing)


@pytest.mark.parametrize("descriptor", [-1, 10**6])
def test_descriptor_of_nothing_has_no_backlog(descriptor):
    """A number that names no socket is the host's fault, not an exception."""
    assert isinstance(read_listener(descriptor, "x", 5).backlog, Missing)


def test_tcp_info_of_a_listener_is_queue_and_limit():
    """tcpi_unacked and tcpi_sacked at bytes 24 and 28."""
    info = bytes([10]) + bytes(23) + struct.pack("=II", 7, 128) + bytes(72)

    assert parse_tcp_info(info) == (7, 128)


def test_unix_queue_is_found_among_other_attributes():
    """Attributes are padded to 4 bytes and come in any order."""
    body = bytes(16) + struct.pack("=HHBxxx", 5, 6, 0) + struct.pack("=HHII", 12, 4, 3, 64)

    assert sock_diag.parse_unix_queue(body) == (3, 64)


def test_tcp_listener_is_read_from_its_message():
    """inet_diag_msg: addresses in network order, queues in the host's."""
    identity = struct.pack(">HH", 8000, 0) + b"\x7f\0\0\1" + bytes(28 + 4 + 8)
    body = bytes([socket.AF_INET, 10, 0, 0]) + identity + struct.pack("=5I", 0, 4, 128, 0, 9)

    assert sock_diag.parse_tcp_listener(body) == (b"\x7f\0\0\1", 8000, (4, 128))


@given(st.binary(max_size=300))
def test_whatever_the_kernel_sends_is_a_value_or_nothing(reply):
    """Messages lie within what came; a queue is two counts, or it is not there."""
    listener, queue = sock_diag.parse_tcp_listener(reply), sock_diag.parse_unix_queue(reply)
    found = [queue, listener and listener[2], parse_tcp_info(reply)]

    assert sum(len(body) for _, body in sock_diag.parse_messages(reply)) <= len(reply)
    assert all(one is None or isinstance(one, Missing) or min(one) >= 0 for one in found)


def test_socket_queue_time_needs_tcp():
    """A UNIX connection has no TCP_INFO, so there is no answer."""
    left, right = socket.socketpair()
    with left, right:
        assert socket_queue_seconds(left) is None


def test_somaxconn_bounds_gunicorns_backlog():
    """backlog = 2048 on a host that allows 128 is 128."""
    proc = HOSTS / "cgroup-v1" / "proc"

    assert (
        read_somaxconn(proc), expected_backlog_limit(2048, proc), expected_backlog_limit(64, proc),
    ) == (128, 128, 64)  # fmt: skip


@pytest.mark.parametrize(("directory", "expected"), [("/dev/shm", "tmpfs"), ("/run/x", "tmpfs"), ("/srv", "ext4")])
def test_directory_lies_on_its_mount(directory, expected):
    """worker_tmp_dir on ext4 can stall a heartbeat, on tmpfs it cannot."""
    kind = read_filesystem(Path(directory), HOSTS / "systemd-slice" / "proc")

    assert (expected, expected == "tmpfs") == (kind, is_in_memory(kind))


def test_open_files_limit_is_a_number_or_unlimited(monkeypatch):
    """RLIM_INFINITY is no large number."""
    monkeypatch.setattr("resource.getrlimit", lambda _: (1024, 4096))

    assert read_open_files_limit() == 1024


def test_message_without_a_body_is_a_message():
    """NLMSG_DONE may be a header alone."""
    assert [(3, b"")] == list(sock_diag.parse_messages(struct.pack("=IHHII", 16, 3, 0, 1, 0)))


@pytest.mark.parametrize(
    ("body", "expected"),
    [(struct.pack("=i", -errno.ENOENT), errno.ENOENT), (b"\1\0", None)],
    ids=["a number", "cut short"],
)
def test_refusal_carries_the_errno_of_the_kernel(body, expected):
    """Without one it is a refusal still."""
    assert expected == sock_diag._refusal(body).errno


def test_tcp_answer_that_is_cut_short_is_no_listener():
    """struct inet_diag_msg has 72 bytes."""
    assert sock_diag.parse_tcp_listener(bytes([socket.AF_INET, 10]) + bytes(69)) is None
