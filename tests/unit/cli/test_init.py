import configparser
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from gunicorn.config import Config

from gunicorn_autotune.cli import init, main
from gunicorn_autotune.cli.init_files import GRACEFUL_SECONDS, Site
from gunicorn_autotune.cli.init_unit import HostFacts, quoted, unit_text
from gunicorn_autotune.cli.style import CommandError

FACTS = HostFacts("/srv/venv", "/srv/venv/bin/gunicorn", "/bin/kill", 1 << 30, 40)
SITE = Site(Path("/srv/shop"), "shop", "wsgi:app", "www-data", "unix:/run/shop/gunicorn.sock")


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


def test_both_files_are_written_and_named(folder, capsys):
    """The unit is named after the folder, in letters systemd likes."""
    code = main(["init"])
    out = capsys.readouterr().out

    assert (code, names_in(folder)) == (0, ["gunicorn_autotune.conf", "my-shop.service", "wsgi.py"])
    assert [line for line in out.splitlines() if line.startswith("wrote ")] == [
        f"wrote {folder}/gunicorn_autotune.conf", f"wrote {folder}/my-shop.service",
    ]  # fmt: skip
    assert len(out.partition("next:\n")[2].splitlines()) == 4


@pytest.mark.parametrize("there", ["gunicorn_autotune.conf", "my-shop.service"])
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
        ("--bind", "unix:g.sock"), ("--bind", "unix:/run/g.sock"), ("--bind", "unix:/run/a/\n"),
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

    assert {'bind = "127.0.0.1:8000"', "keepalive = 10", "# preload_app = True",
            f"graceful_timeout = {GRACEFUL_SECONDS}", "install(globals())"} <= set(text.splitlines())  # fmt: skip


def test_unit_has_what_gunicorn_and_autotune_need():
    """Readiness, ends that leave time to finish, and a service that outlives one worker's OOM kill."""
    service = parsed(unit_text(SITE, FACTS))["Service"]

    assert {
        "Type": "notify", "NotifyAccess": "main", "KillMode": "mixed", "Restart": "always", "OOMPolicy": "continue",
        "RuntimeDirectory": "shop", "User": "www-data", "WorkingDirectory": "/srv/shop", "LimitNOFILE": "65535",
        "ExecStart": "/srv/venv/bin/gunicorn -c gunicorn_autotune.conf wsgi:app",
        "ExecReload": "/bin/kill -HUP $MAINPID",
    }.items() <= dict(service).items()  # fmt: skip
    assert int(service["TimeoutStopSec"]) > GRACEFUL_SECONDS
    assert int(service["TasksMax"]) >= 40 * 24


def test_memory_limits_are_proposed_not_imposed():
    """Commented out, computed from what this host grants."""
    text = unit_text(SITE, FACTS)

    assert ("#MemoryHigh=768M" in text, "#MemoryMax=870M" in text) == (True, True)
    assert not [key for key in parsed(text)["Service"] if key.startswith("Memory")]


def test_words_of_a_command_line_are_quoted_for_systemd():
    """It splits at spaces and expands % and $."""
    assert [quoted(word) for word in ("/a/b", "/a b", "50%", "a$b", "f()")] == [
        "/a/b",
        '"/a b"',
        "50%%",
        "a$$b",
        '"f()"',
    ]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_unit_of_this_host_passes_systemd_analyze(folder):
    """Folder with a blank, factory with parentheses: systemd finds nothing to remark."""
    main(["init", "--app", "wsgi:create_app()"])
    ended = subprocess.run(
        ["systemd-analyze", "verify", "./my-shop.service"], capture_output=True, text=True, timeout=60
    )

    assert (ended.returncode, [line for line in ended.stderr.splitlines() if "my-shop" in line]) == (0, [])


def test_notes_tell_what_would_not_work(folder, monkeypatch, capsys):
    """No such app, no such user, a file that is not read any more: written all the same; another machine may serve."""
    (folder / "gunicorn.conf.py").write_text("workers = 3")
    code = main(["init", "--app", "missing:app", "--user", "nosuchuser"])
    out = capsys.readouterr().out

    assert code == 0
    assert f"note: no missing.py in {folder}: is --app missing:app right?" in out
    assert "note: no user nosuchuser on this host" in out
    assert f"note: {folder}/gunicorn.conf.py is not read beside gunicorn_autotune.conf" in out


@pytest.mark.skipif(os.geteuid() != 0, reason="the folders of this user are closed to others anyway")
def test_note_tells_a_folder_the_service_could_not_enter(folder, capsys):
    """A site below a closed home would not start under another user."""
    folder.chmod(stat.S_IRWXU)
    main(["init", "--user", "nobody"])

    assert "is closed to others: can nobody enter it?" in capsys.readouterr().out
