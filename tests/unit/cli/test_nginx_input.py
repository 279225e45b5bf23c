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
