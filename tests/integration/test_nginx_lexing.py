"""nginx itself beside our parser: odd texts, patterns, dumps."""

from __future__ import annotations

from pathlib import Path

import pytest

from gunicorn_autotune.cli.nginx_files import Disk
from gunicorn_autotune.nginx.read.dump import Dump
from gunicorn_autotune.nginx.read.parse import parse
from gunicorn_autotune.nginx.read.reader import NginxSyntaxError
from tests.nginx_tested import TEMPORARY, nginx_says
from tests.nginx_words import shape

pytestmark = [pytest.mark.real, pytest.mark.once]

FRAME = f"pid nginx.pid; events {{}} http {{ access_log off; {TEMPORARY} %s }}"
WORDS = [
    "a b;", "a b ;", "a b\n;", "a;b c;", "a b", "a b }", ";", "{", "a {", "a b;}", "a b;;",
    'a "b";', 'a "b" ;', 'a "b"c;', 'a "b""c";', "a 'b'\"c\";", 'a "b"\tc;', 'a "b"#c\n;', 'a "b");', 'a "b") c;',
    'a ("b");', 'a b"c;', 'a b"c d"e;', 'a "b', 'a "b;', "a 'b\";", 'a "b\n\nc";', 'a "";', "a '';", '"" a;',
    'a "b"\\;', "a b#c;", "a #c;", "a #c;\nb;", "#", "# a", "#\n", "a b; #", "a#b c;",
    "a \\;", "a \\; b;", "a \\", "a b\\", "a b\\ c;", 'a "\\"";', 'a "\\\\";', 'a "\\\\\\";', "a \\n;", "a \\\n;",
    "\\a b;", "a \\\"b;", "a \\'b c;", "a \\} b;", "a \\{ b;", "a \\#b;",
    "a ${b};", "a ${b;", "a ${b c;", "a ${{b;", "a $ {b;", "a $;", "a $$ b;", "a ${", "a b${c}d;",
    'a "${b}";', 'a "${";', "a $\\{b;", "${a} b;", "a $b{c;", "a {b};", "a b{c;", "a };", "a b};", "a }b;", "a b}c;",
    "a\rb;", "a\r\nb;\r\n", "a\x0bb c;", "a\x0cb;", "a \u00a0;", "a \u00e9;", "a \x01;", "\t\n\r a\t\n\r b\t\n\r ;",
    "include;", "include a b;", "include none;", "include none*;", "include a {}", '"include" none;', "includes none;",
]  # fmt: skip
LENGTHS = [4093, 4094, 4095, 4096]
LONG = ["a %s;", "a %s ;", 'a "%s";', 'a "%s" ;', 'a "%s") ;', "#%s\n", "a #%s\n;", "a \u00e9%s;", "a \\%s;", "%s;"]
FILES = [
    FRAME % "", (FRAME % "").rstrip(" }"), FRAME % "}", FRAME % "types {", "}" + FRAME % "", "", "\ufeff" + FRAME % "",
    "\ufeff# a\n" + FRAME % "", "\ufeff", FRAME % "types { \ufeffa b; }", "\u00a0" + FRAME % "", FRAME % "\u00a0",
    FRAME.replace(" ", "\r\n") % "", "#" + "a" * 4095, FRAME % "" + "#" + "a" * 4095, FRAME % "" + "#" + "a" * 4096,
    "include nginx.conf.d;" + FRAME % "", "include folder/*;" + FRAME % "", "include .;" + FRAME % "",
    "include good.conf;" + FRAME % "", "include open.conf;" + FRAME % "", "include /dev/null;" + FRAME % "",
]  # fmt: skip
PATTERNS = [
    "*", "*.conf", "?.conf", "[ab].conf", "[!a].conf", "[^a].conf", "[a-c]*", "[]x].conf", "x[1]", "x\\[1]", "\\*",
    ".*f", "**", "*/*.conf", "s/*.conf", "[", "x[", "x[1", "*[1]", "[[]*", "?", "a.conf", "none*", "*a*.*n*",
    "[c-a].conf", "[a\\]x].conf", "./*.conf", "s/../?.conf", "s//*.conf", "[a-].conf", "[-a].conf", "??conf",
    "*b", "s*/d.conf",
]  # fmt: skip
NAMES = [
    "a.conf", "b.conf", "c.conf", "A.conf", ".hidden.conf", ".f", "x[1]", "x1", "*", "]", "].conf", "-.conf", "xb",
    "s/d.conf",    "s/.e.conf", "[", "x[",
]  # fmt: skip


def accepts(config: Path) -> bool:
    """Our own verdict."""
    try:
        return bool(parse(Disk(config.parent), str(config)))
    except NginxSyntaxError:
        return False


def written(folder: Path, text: str) -> Path:
    """A nginx.conf of this text."""
    (folder / "nginx.conf").write_bytes(text.encode())
    return folder / "nginx.conf"


@pytest.mark.parametrize("text", [*WORDS, *(text % ("b" * length) for text in LONG for length in LENGTHS)], ids=ascii)
def test_words_are_accepted_that_nginx_accepts(text: str, tmp_path: Path) -> None:
    """Within `types { }`, whose lines are any words."""
    config = written(tmp_path, FRAME % f"types {{ {text} }}")

    said = nginx_says(config)

    assert (said.returncode == 0) == accepts(config), said.stderr


@pytest.mark.parametrize("text", FILES, ids=lambda text: ascii(text)[:50])
def test_files_are_accepted_that_nginx_accepts(text: str, tmp_path: Path) -> None:
    """Braces, byte order marks, ends of lines, includes."""
    (tmp_path / "folder" / "folder").mkdir(parents=True)
    (tmp_path / "good.conf").write_text("timer_resolution 1s;")
    (tmp_path / "open.conf").write_text("types {")
    config = written(tmp_path, text)

    said = nginx_says(config)

    assert (said.returncode == 0 or 'no "events" section' in said.stderr) == accepts(config), said.stderr


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_include_what_nginx_includes(pattern: str, tmp_path: Path) -> None:
    """The same files, asked from `nginx -T`, in the same order."""
    for name in NAMES:
        (tmp_path / "c" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "c" / name).write_text("include none*;\n")
    (tmp_path / "c" / "s").rename(tmp_path / "s") if "/" not in pattern else None
    config = written(tmp_path, f"include 'c/{pattern.replace(chr(92), chr(92) * 2)}';{FRAME % ''}")

    said = nginx_says(config, dump=True)

    if said.returncode:
        assert not accepts(config), said.stderr
    else:
        assert list(Dump(said.stdout).files) == files(config)


def files(config: Path) -> list[str]:
    """Files of our own tree, in the order they were entered, each once."""
    walk = parse(Disk(config.parent), str(config)).walk()
    return list(dict.fromkeys(one.file for one in walk))


def test_a_real_dump_is_the_tree_of_the_disk(tmp_path: Path) -> None:
    """nginx -T with its stderr in front, against the files themselves."""
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "a.conf").write_text("# configuration file /etc/nginx/nginx.conf:\nmap $host $a { a b; }")
    (tmp_path / "c" / "b.conf").write_text("\n\nmap $host $b { a 'b\n\n'; }\n\n")
    config = written(tmp_path, FRAME % "include c/*.conf;\n" + "\n")

    said = nginx_says(config, dump=True)
    dump = Dump(said.stderr + said.stdout)

    assert parse(Disk(tmp_path), str(config)) == parse(dump, dump.main)
    assert 5 < len(list(parse(dump, dump.main).walk()))


def test_words_are_those_nginx_works_with(tmp_path: Path) -> None:
    """A name with escapes as nginx says it back, against ours."""
    config = written(tmp_path, r'"a\"\\\.\tb\x" c;')

    said = nginx_says(config)
    name = str(shape(parse(Disk(tmp_path), str(config)))[2][0][0])  # type: ignore[index]

    assert f'unknown directive "{name}" in' in said.stderr
