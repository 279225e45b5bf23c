"""Real files: encodings, folders, links, patterns."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gunicorn_autotune.cli import nginx_files
from gunicorn_autotune.cli.nginx_files import Disk


def test_text_is_utf_8(tmp_path: Path) -> None:
    """Byte order mark and carriage returns are left to the parser."""
    (tmp_path / "a").write_bytes("\ufeffé\r\n".encode())

    assert "\ufeffé\r\n" == Disk(tmp_path).read("a")


def test_other_text_is_latin_1(tmp_path: Path) -> None:
    """Every byte is a letter."""
    (tmp_path / "a").write_bytes(b"\xe9\xff")

    assert "éÿ" == Disk(tmp_path).read("a")


def test_a_folder_cannot_be_read(tmp_path: Path) -> None:
    """nginx: pread() failed (21: Is a directory)."""
    with pytest.raises(IsADirectoryError):
        Disk(tmp_path).read(str(tmp_path))


def test_a_pipe_is_empty(tmp_path: Path) -> None:
    """nginx reads as many bytes as the size tells; opening one would wait for ever."""
    os.mkfifo(tmp_path / "a")

    assert "" == Disk(tmp_path).read("a")


def test_a_file_far_too_long_is_not_read(tmp_path: Path) -> None:
    """A sparse terabyte is refused by its size."""
    with (tmp_path / "a").open("wb") as file:
        file.truncate(1 << 40)

    with pytest.raises(OSError, match="too large"):
        Disk(tmp_path).read("a")


def test_a_root_is_put_before_absolute_paths(tmp_path: Path) -> None:
    """And taken off what a pattern finds."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "a.conf").write_text("a;")
    disk = Disk(tmp_path, tmp_path)

    assert ["/etc/a.conf"] == disk.matches("/etc/*.conf")
    assert "a;" == disk.read("/etc/a.conf")


def test_an_absolute_link_stays_below_the_root(tmp_path: Path) -> None:
    """As Debian's links in sites-enabled."""
    (tmp_path / "available").mkdir()
    (tmp_path / "available" / "a").write_text("a;")
    (tmp_path / "enabled").mkdir()
    (tmp_path / "enabled" / "a").symlink_to("/available/a")
    (tmp_path / "enabled" / "b").symlink_to("../available/a")
    disk = Disk(tmp_path, tmp_path)

    assert ["a;", "a;"] == [disk.read(path) for path in disk.matches("/enabled/*")]


def test_patterns_find_what_glob_finds(tmp_path: Path) -> None:
    """Sorted by bytes; no hidden files; folders and dead links too, for nginx to stumble over."""
    for name in ("b", "B", ".hidden", "a b"):
        (tmp_path / name).write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("nowhere")

    assert ["B", "a b", "b", "folder", "link"] == Disk(tmp_path).matches("*")


def test_patterns_in_folders(tmp_path: Path) -> None:
    """Part by part; a last part without wildcard must be there."""
    for path in ("a/x/nginx.conf", "b/x/nginx.conf", "b/y/other.conf"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text("")

    assert ["a/x/nginx.conf", "b/x/nginx.conf"] == Disk(tmp_path).matches("[ab]/*/nginx.conf")


def test_a_pattern_that_finds_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`/*/*/*/*` would list the whole disk."""
    monkeypatch.setattr(nginx_files, "MAX_FOUND", 3)
    for name in "abcd":
        (tmp_path / name).write_text("")

    with pytest.raises(OSError, match="more than 3 paths"):
        Disk(tmp_path).matches("*")
