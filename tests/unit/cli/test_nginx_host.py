import grp
import os
import socket

import pytest

from gunicorn_autotune.cli import nginx_host
from gunicorn_autotune.cli.nginx_binary import Build
from gunicorn_autotune.cli.nginx_host import host_facts
from gunicorn_autotune.nginx.site.gunicorn import Gunicorn
from gunicorn_autotune.nginx.site.host import SocketFile
from gunicorn_autotune.runtime.in_force import user_name
from tests.unit.cli.trees import FILE, a_config, a_directive


def facts(*directives, gunicorn=None):
    """Of a configuration of these, with no nginx on the host."""
    return host_facts(a_config(*directives), gunicorn, None)


def test_configuration_of_nothing_on_a_host_without_nginx_has_facts():
    """What cannot be read is None; cpus, somaxconn and addresses are there for any."""
    found = facts()

    assert (os.cpu_count(), True) == (found.cpus, "127.0.0.1" in found.own_addresses)
    assert [None] * 6 == [
        found.nginx_groups, found.worker_open_files, found.nginx_started_unix_seconds, found.test, found.error_log,
        found.timing,
    ]  # fmt: skip


def test_socket_is_told_with_mode_and_owner(tmp_path):
    """Of both sides; a path without a socket is None."""
    path = tmp_path / "g.sock"
    (tmp_path / "plain").write_text("")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o750)
        names = (f"unix:{path}", f"unix:{tmp_path}/none", f"unix:{tmp_path}/plain", "unix:/etc/hosts/x")
        upstream = a_directive("upstream app", *(a_directive(f"server {name}") for name in names))
        found = facts(
            a_directive("http", upstream), gunicorn=Gunicorn("27.0.1", values={"bind": [f"unix:{tmp_path}/mine"]})
        )

    ours = SocketFile(0o750, user_name(os.geteuid()), grp.getgrgid(tmp_path.stat().st_gid).gr_name)
    assert ours == found.sockets[str(path)]
    assert {None} == {found.sockets[f"{tmp_path}/{name}"] for name in ("none", "plain", "mine")}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may enter every folder")
def test_socket_in_a_closed_folder_is_not_told(tmp_path):
    """It may be there or not."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    upstream = a_directive("upstream app", a_directive(f"server unix:{closed}/x.sock"))
    found = facts(a_directive("http", upstream))

    assert {} == found.sockets


def test_groups_are_those_of_the_directive():
    """The one named first, or that of the user's name; with it those the user is a member of."""
    assert facts(a_directive("user root daemon")).nginx_groups[0] == "daemon"
    assert facts(a_directive("user root")).nginx_groups[0] == "root"


NOBODYS = {entry.gr_name for entry in grp.getgrall()} & {"nogroup", "nobody"}


def test_without_the_directive_the_groups_are_those_of_the_build():
    """Of the group that was built in, else of nogroup or nobody."""
    groups = [nginx_host._worker_groups(a_config(), Build(user="root", group=group)) for group in ("daemon", "")]

    assert "daemon" == groups[0][0]
    assert (groups[1] is None and not NOBODYS) or groups[1][0] in NOBODYS


@pytest.mark.parametrize("text", ["user nobody-here-4711", "user root no-such-group"])
def test_user_that_this_host_does_not_have_has_no_groups(text):
    """Perhaps the file is for another host."""
    assert facts(a_directive(text)).nginx_groups is None


def test_error_logs_are_read_from_their_ends(tmp_path, monkeypatch):
    """Whole lines, so many bytes in all, whatever lies in them."""
    monkeypatch.setattr(nginx_host, "LOG_BYTES", 60)
    (tmp_path / "a").write_bytes(b"".join(b"line %02d\n" % number for number in range(20)))
    (tmp_path / "b").write_bytes(b"\xff one\nlast")
    found = facts(
        a_directive(f"error_log {tmp_path}/a warn"), a_directive("http", a_directive(f"error_log {tmp_path}/b"))
    )

    assert ("line 17", "line 18", "line 19", "\ufffd one", "last") == found.error_log


@pytest.mark.parametrize(
    "path", ["stderr", "syslog:server=unix:/dev/log", "/dev/null", "/nonexistent/log", "logs/x", "$x"]
)
def test_log_that_is_no_file_is_not_read(path):
    """None: nothing is known, which is not an empty log."""
    assert facts(a_directive(f"error_log {path}")).error_log is None


def test_fifo_is_no_log(tmp_path):
    """Reading it would wait for ever."""
    os.mkfifo(tmp_path / "fifo")

    assert facts(a_directive(f"error_log {tmp_path}/fifo")).error_log is None


def test_empty_log_has_no_lines(tmp_path):
    """That is known."""
    (tmp_path / "log").write_text("")

    assert () == facts(a_directive(f"error_log {tmp_path}/log")).error_log


def test_timing_comes_from_logs_in_our_format(tmp_path):
    """Others have no times."""
    for name, seconds in (("ours", 0.5), ("other", 9.0)):
        (tmp_path / name).write_text(f'"GET" 200 rt={seconds} uct=0.0 urt={seconds}\n')
    server = a_directive(
        "server",
        a_directive(f"access_log {tmp_path}/ours autotune buffer=8k"),
        a_directive(f"access_log {tmp_path}/other combined"),
        a_directive("access_log off"),
    )
    found = facts(a_directive("http", server)).timing

    assert found is not None
    assert (1, 0.5) == (found.requests, found.p99_seconds)


def test_every_file_has_the_time_of_its_change(tmp_path):
    """Those that are not here are left out."""
    path = tmp_path / "site.conf"
    path.write_text("")
    os.utime(path, (1000, 2000))
    found = facts(a_directive("http", a_directive("gzip on", file=str(path))))

    assert ({str(path): 2000.0}, False) == (found.changed_unix_seconds, FILE in found.changed_unix_seconds)


@pytest.mark.parametrize("text", ["", "x", "-1", "0", "9" * 30, "1\n2", "our own"])
def test_pid_file_that_names_no_nginx_tells_nothing(text, tmp_path):
    """A stale one may name a stranger."""
    (tmp_path / "pid").write_text(text.replace("our own", str(os.getpid())))
    found = facts(a_directive(f"pid {tmp_path}/pid"))

    assert (None, None) == (found.worker_open_files, found.nginx_started_unix_seconds)
