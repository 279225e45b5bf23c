"""What `nginx check` is given to read."""

from __future__ import annotations

from pathlib import Path

import pytest

from gunicorn_autotune.cli.nginx_input import read_input
from gunicorn_autotune.cli.style import CommandError


@pytest.mark.parametrize("text", ["", "x", "nginx: [emerg] unknown directive\n", "events {}\nhttp {}\n"])
def test_what_nginx_never_printed_is_refused_in_one_line(text: str, tmp_path: Path) -> None:
    """The name given, and what is missing; no traceback."""
    (tmp_path / "dump").write_text(text)

    with pytest.raises(CommandError, match=r"dump:1: no line .*configuration file.*unreadable"):
        read_input("", str(tmp_path / "dump"), None)


def test_a_path_with_an_escape_is_spelt_out() -> None:
    """An error message reaches a terminal."""
    with pytest.raises(CommandError) as refused:
        read_input("/none/\x1b[31m", None, None)

    assert "\x1b" not in str(refused.value)


def test_a_dump_that_never_ends_is_refused() -> None:
    """A device is read as far as a dump may be long, and no further."""
    with pytest.raises(CommandError, match="/dev/zero:1: longer than 4 MB"):
        read_input("", "/dev/zero", None)


def test_a_closed_standard_input_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python has None for it."""
    monkeypatch.setattr("sys.stdin", None)

    with pytest.raises(CommandError, match="standard input is closed"):
        read_input("", "-", None)


def test_an_nginx_that_hangs_is_not_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`nginx -t` waits for the same name that `nginx -T` was given up for; the files are read instead."""
    monkeypatch.setattr("gunicorn_autotune.cli.nginx_binary.TIMEOUT_SECONDS", 0.1)
    (tmp_path / "nginx.conf").write_text("events {}\n")
    program = tmp_path / "nginx"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)

    assert read_input(str(tmp_path / "nginx.conf"), None, str(program)).nginx_hangs


def test_a_relative_path_is_read_from_the_files_too(tmp_path, monkeypatch):
    """Without an nginx here: what it includes lies beside it, not below the folder named twice."""
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "nginx.conf").write_text("events {}\nhttp { include more.conf; }\n")
    (tmp_path / "dir" / "more.conf").write_text("server { listen 80; }\n")
    monkeypatch.chdir(tmp_path)

    assert read_input("dir/nginx.conf", None, None).files == [f"{tmp_path}/dir/nginx.conf", f"{tmp_path}/dir/more.conf"]
