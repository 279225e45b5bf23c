import configparser
import os
import re
import shutil
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from gunicorn.config import Config

from gunicorn_autotune.cli import init, main
from gunicorn_autotune.cli.init_files import GRACEFUL_SECONDS, Site
from gunicorn_autotune.cli.init_unit import BACKLOG, HostFacts, host_facts, quoted, socket_text, unit_text
from gunicorn_autotune.cli.style import CommandError

FACTS = HostFacts("/srv/venv", "/srv/venv/bin/gunicorn", "/bin/kill", 1 << 30, 40)
SITE = Site(Path("/srv/shop"), "shop", "wsgi:app", "www-data", "unix:/run/shop.sock")
HARDENED = {
    "PrivateTmp": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateDevices": "yes",
    "NoNewPrivileges": "yes", "ProtectProc": "invisible", "SystemCallFilter": "@system-service",
    "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6 AF_NETLINK", "SystemCallErrorNumber": "EPERM",
    "SystemCallArchitectures": "native", "MemoryDenyWriteExecute": "yes", "ProtectControlGroups": "yes",
    "ProtectKernelTunables": "yes", "ProtectKernelModules": "yes", "ProtectKernelLogs": "yes", "ProtectClock": "yes",
    "ProtectHostname": "yes", "RestrictNamespaces": "yes", "RestrictRealtime": "yes", "RestrictSUIDSGID": "yes",
    "LockPersonality": "yes", "CapabilityBoundingSet": "", "UMask": "0007",
}  # fmt: skip
WRITTEN = ["gunicorn_autotune.conf", "my-shop.service", "my-shop.socket"]
BINDS = ["unix:/run/shop.sock", "127.0.0.1:8000"]
MOST_EXPOSURE = 1.6
"""Of systemd-analyze security, 0 to 10; what is left is the network, other users' names and Gunicorn's own chown."""

needs_systemd_analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed; .ci/fetch brings it"
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A site's folder, and we stand in it."""
    path = tmp_path / "My Shop"
    path.mkdir()
    (path / "wsgi.py").write_text("app = None\n")
    monkeypatch.chdir(path)
    return path


def names_in(folder):
    """What lies there."""
    return sorted(path.name for path in folder.iterdir())


def parsed(text):
    """A unit's settings; a key that comes twice would be an error here."""
    unit = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    unit.optionxform = str
    unit.read_string(text)
    return unit


def test_all_files_are_written_and_named(folder, capsys):
    """The unit is named after the folder, in letters systemd likes."""
    code = main(["init"])
    out = capsys.readouterr().out

    assert (code, names_in(folder)) == (0, [*WRITTEN, "wsgi.py"])
    assert [line for line in out.splitlines() if line.startswith("wrote ")] == [
        f"wrote {folder}/{name}" for name in WRITTEN
    ]  # fmt: skip


def test_what_comes_next_is_told(folder, capsys):
    """Install and start both units, bring new code in either way, stop them so that they stay stopped."""
    main(["init"])
    out = capsys.readouterr().out
    units = "my-shop.service my-shop.socket"

    assert [words for words in (
        f"sudo cp {units} /etc/systemd/system/", f"systemctl enable --now {units}", "systemctl reload my-shop",
        "preload_app, which a reload does not bring: sudo systemctl restart my-shop", f"systemctl stop {units}",
    ) if words not in out] == []  # fmt: skip


@pytest.mark.parametrize("there", WRITTEN)
def test_nothing_is_overwritten_and_then_nothing_written(there, folder, capsys):
    """One file in the way: exit code 1, it is named, the other is not written."""
    (folder / there).write_text("mine\n")
    before = names_in(folder)

    assert main(["init"]) == 1
    assert (names_in(folder), (folder / there).read_text()) == (before, "mine\n")
    assert f"{folder}/{there}: never overwritten" in capsys.readouterr().err


def test_link_to_nowhere_is_in_the_way_too(folder):
    """A dangling link must not be written through."""
    (folder / "my-shop.service").symlink_to(folder / "gone")

    assert main(["init"]) == 1
    assert not (folder / "gone").exists()


def test_error_half_way_takes_back_what_was_written(tmp_path):
    """All or nothing."""
    with pytest.raises(CommandError, match="No such file or directory; nothing was written"):
        init.write_all({tmp_path / "a": "text", tmp_path / "gone" / "b": "text"})

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--bind", "9"), ("--bind", ""), ("--bind", "127.0.0.1:0"), ("--bind", "127.0.0.1:70000"), ("--bind", "off"),
        ("--bind", "unix:g.sock"), ("--bind", "unix:/run/my-shop/g.sock"), ("--bind", "unix:/run/a/\n"),
        ("--bind", "unix:/var/run/my-shop/g.sock"), ("--bind", "unix:/run/./my-shop/g.sock"),
        ("--bind", "localhost:8000"), ("--proxy-user", "a b"),
        ("--bind", "unix:/" + "x" * 120), ("--app", "a b"), ("--app", ""), ("--app", "wsgi:"),
        ("--app", "wsgi.py:app:x"), ("--app", "wsgi:app\nUser=root"), ("--app", "wsgi:f('\")"), ("--user", ""),
        ("--user", "root; rm"), ("--name", "../x"), ("--name", "a" * 41), ("--dir", "/nowhere"),
    ],
)  # fmt: skip
def test_bad_value_is_refused_with_option_value_and_rule(option, value, folder, capsys):
    """Exit code 2, one line, nothing written."""
    code = main(["init", option, value])
    err = capsys.readouterr().err

    assert (code, err.count("\n"), names_in(folder)) == (2, 1, ["wsgi.py"])
    assert err.startswith(f"gunicorn-autotune init: {option} = {value!r}: must ")


@pytest.mark.parametrize(
    "app", ["wsgi:app", "shop.wsgi:application", "wsgi", "shop:create_app()", "shop:make(debug=0)"]
)
def test_app_as_gunicorn_takes_it_is_taken(app, folder):
    """Module, attribute, factory."""
    assert main(["init", "--app", app]) == 0


def test_the_graceful_time_is_gunicorns_own():
    """Written down for systemd's sake, not changed."""
    assert Config().settings["graceful_timeout"].default == GRACEFUL_SECONDS


def test_config_compiles_and_says_what_was_asked(folder):
    """Address, keepalive pair and graceful time stand in it."""
    main(["init", "--bind", "127.0.0.1:8000"])
    text = (folder / "gunicorn_autotune.conf").read_text()
    compile(text, "gunicorn_autotune.conf", "exec")

    assert {'bind = "127.0.0.1:8000"', 'proc_name = "my-shop"', "keepalive = 10", "# preload_app = True",
            f"graceful_timeout = {GRACEFUL_SECONDS}", "install(globals())"} <= set(text.splitlines())  # fmt: skip


def test_unit_has_what_gunicorn_and_autotune_need():
    """Readiness, ends that leave time to finish, and a service that outlives one worker's OOM kill."""
    service = parsed(unit_text(SITE, FACTS))["Service"]

    assert {
        "Type": "notify", "NotifyAccess": "main", "KillMode": "mixed", "Restart": "always", "OOMPolicy": "continue",
        "RuntimeDirectory": "shop", "User": "www-data", "WorkingDirectory": "/srv/shop", "LimitNOFILE": "65535",
        "ExecStart": "/srv/venv/bin/gunicorn --chdir /srv/shop -c /srv/shop/gunicorn_autotune.conf wsgi:app",
        "ExecReload": "/bin/kill -HUP $MAINPID",
    }.items() <= dict(service).items()  # fmt: skip
    assert int(service["TimeoutStopSec"]) > GRACEFUL_SECONDS
    assert int(service["TasksMax"]) >= 40 * 24


def test_memory_limit_is_proposed_not_imposed():
    """Commented out, computed from what this host grants; MemoryHigh, which makes requests time out, not at all."""
    text = unit_text(SITE, FACTS)

    assert ("#MemoryMax=870M" in text, "MemoryHigh=" in text) == (True, False)
    assert not [key for key in parsed(text)["Service"] if key.startswith("Memory") and key != "MemoryDenyWriteExecute"]


def test_unit_grants_the_app_no_more_than_it_needs():
    """The whole block, as it was tried in a virtual machine with every sensor."""
    service = parsed(unit_text(SITE, FACTS))["Service"]

    assert {key: service.get(key) for key in HARDENED} == HARDENED


@pytest.mark.parametrize(
    ("needed", "home", "tmp"),
    [
        ("/srv/shop", "yes", "yes"),
        ("/home/ada/shop", "read-only", "yes"),
        ("/root", "read-only", "yes"),
        ("/homes/ada", "yes", "yes"),
        ("/var/tmp/shop", "yes", "no"),
    ],
)
def test_unit_hides_no_folder_that_the_site_lies_in(needed, home, tmp):
    """ProtectHome and PrivateTmp would keep such a service from starting."""
    service = parsed(unit_text(SITE, replace(FACTS, needed=(Path(needed),))))["Service"]

    assert (service["ProtectHome"], service["PrivateTmp"]) == (home, tmp)
    # ProtectSystem=strict would make the /tmp of all read-only.
    assert service.get("ReadWritePaths") == (None if tmp == "yes" else "/tmp /var/tmp")


def test_what_the_site_needs_is_known_behind_links(tmp_path):
    """`current` in /srv, the release in a home folder."""
    (tmp_path / "current").symlink_to("release")
    (tmp_path / "release").mkdir()

    assert {tmp_path / "current", tmp_path / "release"} <= set(host_facts(tmp_path / "current").needed)


def test_site_is_named_by_its_link():
    """A reload then follows the link to the next release: Gunicorn goes to --chdir again, and reads -c again."""
    unit = unit_text(replace(SITE, folder=Path("/srv/my shop/current")), FACTS)
    words = parsed(unit)["Service"]["ExecStart"].partition(" ")[2]

    assert words == '--chdir "/srv/my shop/current" -c "/srv/my shop/current/gunicorn_autotune.conf" wsgi:app'


@pytest.mark.parametrize(
    ("bind", "listens"),
    [
        ("unix:/run/shop.sock", "/run/shop.sock"),
        ("unix:/srv/50%/a b.sock", "/srv/50%%/a b.sock"),
        ("127.0.0.1:8000", "127.0.0.1:8000"),
        ("[::1]:8000", "[::1]:8000"),
        (":8000", "0.0.0.0:8000"),
    ],
)
def test_systemd_listens_where_gunicorn_would(bind, listens):
    """In the words of systemd.socket(5)."""
    socket = parsed(socket_text(replace(SITE, bind=bind)))["Socket"]

    assert socket["ListenStream"] == listens


def test_proxy_alone_may_open_a_unix_socket():
    """Gunicorn is handed it, and needs no right of its own; a TCP socket has no owner."""
    unix, tcp = (parsed(socket_text(replace(SITE, bind=bind, proxy_user="nginx")))["Socket"] for bind in BINDS)

    assert (unix["SocketUser"], unix["SocketMode"]) == ("nginx", "0660")
    assert [key for key in tcp if key.startswith(("SocketUser", "SocketMode"))] == []


def test_queue_is_as_long_as_gunicorns_own():
    """Newer versions leave the queue of a socket that listens already."""
    settings = Config().settings

    assert (settings["backlog"].default, parsed(socket_text(SITE))["Socket"]["Backlog"]) == (BACKLOG, str(BACKLOG))


def test_socket_comes_with_the_service_and_stays_longer():
    """Whoever starts or enables the service has the socket too."""
    unit = parsed(unit_text(SITE, FACTS))

    assert (unit["Unit"]["Requires"], unit["Unit"]["After"]) == ("shop.socket", "network.target shop.socket")
    assert (unit["Install"]["Also"], parsed(socket_text(SITE))["Install"]["WantedBy"]) == (
        "shop.socket", "sockets.target",
    )  # fmt: skip


def test_words_of_a_command_line_are_quoted_for_systemd():
    """It splits at spaces and expands % and $."""
    assert [quoted(word) for word in ("/a/b", "/a b", "50%", "a$b", "f()")] == [
        "/a/b",
        '"/a b"',
        "50%%",
        "a$$b",
        '"f()"',
    ]


def analyzed(*words):
    """What systemd-analyze, of Debian's systemd, says: exit code and text."""
    ended = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=60)
    return ended.returncode, ended.stdout + ended.stderr


@needs_systemd_analyze
@pytest.mark.parametrize("bind", BINDS)
def test_units_of_this_host_pass_systemd_analyze(bind, folder):
    """Folder with a blank, factory with parentheses: systemd finds nothing to remark."""
    main(["init", "--app", "wsgi:create_app()", "--bind", bind])
    code, said = analyzed("verify", "./my-shop.service", "./my-shop.socket")

    assert (code, [line for line in said.splitlines() if "my-shop" in line]) == (0, [])


@needs_systemd_analyze
def test_unit_is_little_exposed(tmp_path):
    """By systemd's own measure."""
    (tmp_path / "shop.service").write_text(unit_text(SITE, FACTS))
    code, said = analyzed("security", "--offline=true", str(tmp_path / "shop.service"))
    level = re.search(r"Overall exposure level for shop.service: ([0-9.]+)", said)

    assert (code, level is not None and float(level[1]) <= MOST_EXPOSURE) == (0, True), said


def test_notes_tell_what_would_not_work(folder, monkeypatch, capsys):
    """No such app, no such user, a file that is not read any more: written all the same; another machine may serve."""
    (folder / "gunicorn.conf.py").write_text("workers = 3")
    code = main(["init", "--app", "missing:app", "--user", "nosuchuser", "--proxy-user", "noproxy"])
    out = capsys.readouterr().out

    assert code == 0
    assert f"note: no missing.py in {folder}: is --app missing:app right?" in out
    assert "note: no user nosuchuser on this host" in out
    assert "note: no user noproxy on this host" in out
    assert f"note: {folder}/gunicorn.conf.py is not read beside gunicorn_autotune.conf" in out


@pytest.mark.skipif(os.geteuid() != 0, reason="the folders of this user are closed to others anyway")
def test_note_tells_a_folder_the_service_could_not_enter(folder, capsys):
    """A site below a closed home would not start under another user."""
    folder.chmod(stat.S_IRWXU)
    main(["init", "--user", "nobody"])

    assert "is closed to others: can nobody enter it?" in capsys.readouterr().out
