"""Rendered files against those of a folder: nothing of a user is lost, and nothing is written in part."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gunicorn_autotune.cli.nginx_write import State, compared, diff, refuse_overwriting, write
from gunicorn_autotune.cli.style import CommandError
from gunicorn_autotune.nginx.write.render import render
from tests.rendering import FULL, a_gunicorn

HTTP, GZIP, PAGE = "conf.d/shop-http.conf", "shop/gzip.conf", "shop/pages/50x.html"
NEW = render(a_gunicorn(keepalive=10), FULL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What was written for keepalive 2."""
    write(compared(tmp_path, render(a_gunicorn(keepalive=2), FULL)))
    return tmp_path


def texts(folder: Path) -> dict[str, str]:
    """All files by name."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    """Every file, and nothing beside it."""
    write(compared(tmp_path / "new" / "one", NEW))

    assert texts(tmp_path / "new" / "one") == NEW


def test_what_is_there_is_told_apart(folder: Path) -> None:
    """The same, ours, and edited by hand; a page has no stamp and counts as edited."""
    (folder / GZIP).write_text((folder / GZIP).read_text() + "# mine\n")
    (folder / PAGE).write_text("closed for lunch")
    found = compared(folder, NEW)

    assert [found[name].state for name in (HTTP, GZIP, PAGE, "README.md")] == [
        State.CHANGED, State.EDITED, State.EDITED, State.SAME,
    ]  # fmt: skip


def test_without_force_nothing_is_replaced(folder: Path) -> None:
    """The refusal names files and both ways on."""
    with pytest.raises(CommandError, match=rf"{HTTP}.*would change.*--diff.*--force") as refused:
        refuse_overwriting(folder, compared(folder, NEW))

    assert refused.value.code == 1


def test_a_file_edited_by_hand_is_kept_beside_the_new_one(folder: Path) -> None:
    """NAME.old holds what was there; nginx reads only *.conf."""
    mine = (folder / GZIP).read_text() + "# mine\n"
    (folder / GZIP).write_text(mine)
    write(compared(folder, NEW))

    assert texts(folder) == NEW | {f"{GZIP}.old": mine}


def test_a_kept_file_is_never_replaced_by_the_next_one(folder: Path) -> None:
    """A second edit with the first NAME.old still there: nothing is written."""
    (folder / f"{GZIP}.old").write_text("first")
    (folder / GZIP).write_text("second")
    before = texts(folder)
    with pytest.raises(CommandError, match=r"gzip\.conf\.old: exists"):
        write(compared(folder, NEW))

    assert texts(folder) == before


def test_what_is_no_longer_rendered_is_removed(folder: Path) -> None:
    """A site without streams and limits: no zone is left that nobody declares."""
    fewer = {name: text for name, text in NEW.items() if name != "shop/limits.conf"}
    (folder / "shop" / "own.conf").write_text("# a file of the operator\n")
    write(compared(folder, fewer))

    assert texts(folder) == fewer | {"shop/own.conf": "# a file of the operator\n"}


def test_another_site_in_the_same_folder_loses_nothing(tmp_path: Path) -> None:
    """Its files in conf.d are not this site's leftovers, also where one name begins with the other."""
    blog = render(a_gunicorn(), replace(FULL, name="shop-blog"))
    write(compared(tmp_path, blog))
    write(compared(tmp_path, NEW))

    assert {name: text for name, text in texts(tmp_path).items() if "shop-blog" in name} == {
        name: text for name, text in blog.items() if "shop-blog" in name
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_left_as_it_was(folder: Path) -> None:
    """The pages' folder is closed: the other files stay as they were, too."""
    (folder / PAGE).unlink()
    (folder / "shop" / "pages").chmod(0o500)
    before = texts(folder)
    with pytest.raises(CommandError, match="nothing was written"):
        write(compared(folder, NEW))

    assert texts(folder) == before


def test_a_name_that_is_taken_leaves_the_folder_as_it_was(folder: Path) -> None:
    """A file stands where the last one would be prepared: what was prepared before it is taken back."""
    (folder / "README.md").write_text("mine")
    (folder / "README.md.new").write_text("something of a user")
    before = texts(folder)
    with pytest.raises(CommandError, match=r"README\.md\.new.*nothing was written"):
        write(compared(folder, NEW))

    assert texts(folder) == before


def test_the_diff_shows_what_would_change(folder: Path) -> None:
    """Lines of the upstream; files that stay do not appear."""
    text = diff(compared(folder, NEW))

    assert "-    keepalive_timeout 1s;  # below Gunicorn's keepalive 2\n+    keepalive_timeout 4s;" in text
    assert GZIP not in text


def test_nothing_to_change_is_an_empty_diff(folder: Path) -> None:
    """The same settings again."""
    assert diff(compared(folder, render(a_gunicorn(keepalive=2), FULL))) == ""


def test_a_file_that_is_no_text_is_compared_all_the_same(folder: Path) -> None:
    """Bytes that are no UTF-8 are kept as they are."""
    (folder / GZIP).write_bytes(b"# \xff\xfe mine\n")
    write(compared(folder, NEW))

    assert (folder / f"{GZIP}.old").read_bytes() == b"# \xff\xfe mine\n"


def test_a_link_that_leads_nowhere_is_not_replaced(tmp_path: Path) -> None:
    """What it will lead to may come back, as a disk that is not mounted."""
    (tmp_path / "README.md").symlink_to(tmp_path / "away")

    with pytest.raises(CommandError, match=r"README\.md: a link that leads nowhere.*nothing was written"):
        compared(tmp_path, NEW)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Nobody writes into it."""
    os.mkfifo(tmp_path / "README.md")

    with pytest.raises(CommandError, match=r"README\.md: no regular file"):
        compared(tmp_path, NEW)


@contextmanager
def files_end_after(size_bytes: int) -> Iterator[None]:
    """A file system that takes no more of a file, as a full one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_told_by_the_file(tmp_path: Path) -> None:
    """The error of a write(2) names none itself."""
    with files_end_after(100), pytest.raises(CommandError, match=r"cannot write .*\.conf\.new: .*nothing was written"):
        write(compared(tmp_path, NEW))
