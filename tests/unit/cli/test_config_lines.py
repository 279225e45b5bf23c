import pytest

from gunicorn_autotune.cli.config_lines import assigned_lines


def lines_of(folder, text):
    """What is found in a file of this text."""
    path = folder / "gunicorn.conf.py"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return assigned_lines(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bind = ':80'\n\nkeepalive = 2\n", {"bind": 1, "keepalive": 3}),
        ("timeout = 1\ntimeout = 2\n", {"timeout": 2}),
        ("threads: int = 4\n", {"threads": 1}),
        ("a, b = (\n  1, 2)\n", {"a": 1, "b": 1}),
        ("def post_fork(server, worker):\n    timeout = 3\n\ntimeout = 4\n", {"timeout": 4}),
        ("# -*- coding: latin-1 -*-\nuser = 'J\xfcrgen'\n".encode("latin-1"), {"user": 2}),
    ],
)
def test_line_of_the_last_plain_assignment_is_found(text, expected, tmp_path):
    """At the top level of the file, whatever its coding; names inside functions are others."""
    assert expected == lines_of(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        "import os\nif 'X' in os.environ:\n    bind = 'b'\n",
        "bind = 'a'\nif True:\n    bind = 'b'\n",
        "bind = ['a']\nbind += ['b']\n",
        "bind = 'a'\nfor bind in 'xy':\n    pass\n",
        "globals()['bind'] = 'a'\n",
    ],
)
def test_name_that_is_set_in_another_way_has_no_line(text, tmp_path):
    """Which assignment counts is then not told by the text."""
    assert "bind" not in lines_of(tmp_path, text)


@pytest.mark.parametrize("text", ["bind = (\n", b"bind = '\x00'\n", b"\xff\xfe"])
def test_text_that_is_no_python_has_no_lines(text, tmp_path):
    """Gunicorn says what is wrong with it."""
    assert {} == lines_of(tmp_path, text)


def test_file_that_is_not_there_has_no_lines(tmp_path):
    """Nor is that an error here."""
    assert {} == assigned_lines(tmp_path / "none.py")
