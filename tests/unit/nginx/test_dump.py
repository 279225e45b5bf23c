"""The output of `nginx -T`, with its traps."""

from __future__ import annotations

import pytest

from gunicorn_autotune.nginx.read.dump import Dump
from gunicorn_autotune.nginx.read.parse import parse
from gunicorn_autotune.nginx.read.reader import NginxSyntaxError

MAIN, SITE = "/etc/nginx/nginx.conf", "/etc/nginx/conf.d/a.conf"
STDERR = (
    "nginx: the configuration file /etc/nginx/nginx.conf syntax is ok\n"
    "nginx: configuration file /etc/nginx/nginx.conf test is successful\n"
)


def dumped(*files: tuple[str, str]) -> str:
    """As nginx prints them: a line feed of its own behind each."""
    return "".join(f"# configuration file {path}:\n{text}\n" for path, text in files)


def test_files_come_back_as_they_were() -> None:
    """With or without a line feed at their end."""
    dump = Dump(dumped((MAIN, "include conf.d/*.conf;\n"), (SITE, "a;")))

    assert (MAIN, {MAIN: "include conf.d/*.conf;\n", SITE: "a;"}) == (dump.main, dump.files)


def test_a_dump_is_parsed_with_the_names_of_its_files() -> None:
    """Patterns find what was dumped."""
    dump = Dump(dumped((MAIN, "include conf.d/*.conf;\n"), (SITE, "\na;\n")))

    assert f"{SITE}:2" == list(parse(dump, dump.main).walk())[-1].place


@pytest.mark.parametrize(
    "line", [*STDERR.splitlines(), "nginx: [warn] conflicting", "2026/11/21 20:02:33 [warn] 1#1: conflicting"]
)
def test_lines_of_stderr_are_no_configuration(line: str) -> None:
    """Before, and in between where streams were mixed."""
    text = dumped((MAIN, "a;\nb;\n"))

    assert {MAIN: "a;\nb;\n"} == Dump(line + "\n" + text.replace("b;", f"{line}\nb;")).files


def test_a_header_that_no_include_names_is_a_comment() -> None:
    """Somebody pasted an old dump into a file: the file goes on."""
    text = "include conf.d/*.conf;\n# configuration file /etc/nginx/old.conf:\nb;\n"

    assert {MAIN: text, SITE: "a;"} == Dump(dumped((MAIN, text), (SITE, "a;"))).files


def test_a_header_is_known_by_the_includes_before_it() -> None:
    """However they are written: quotes, escapes, a file that an included file includes."""
    files = {
        MAIN: "\"include\" 'con\\f.d/a.*';\n# include late.conf;\n",
        SITE: "include b;\n# configuration file /etc/nginx/late.conf:\n",
        "/etc/nginx/b": "b;",
    }

    assert files == Dump(dumped(*files.items())).files


def test_a_relative_header_is_a_comment() -> None:
    """nginx prints whole paths."""
    text = "include a;\n# configuration file a:\nb;\n"

    assert {MAIN: text} == Dump(dumped((MAIN, text))).files


def test_two_headers_of_one_file_are_refused() -> None:
    """Nobody can tell which one is a comment."""
    with pytest.raises(NginxSyntaxError, match=r"nginx -T:5: a second \"# configuration file /etc/nginx/nginx.conf:\""):
        Dump(dumped((MAIN, "a;\nb;\n\n" + dumped((MAIN, "c;")))))


def test_no_header_at_all_is_refused() -> None:
    """As when nginx -T failed."""
    with pytest.raises(NginxSyntaxError, match="nginx -T:1: no line"):
        Dump('nginx: [emerg] unknown directive "x" in /etc/nginx/nginx.conf:1\n')


def test_a_file_that_was_not_dumped_is_missing() -> None:
    """The include that names it is the place of the error."""
    dump = Dump(dumped((MAIN, "\ninclude b.conf;\n")))

    with pytest.raises(NginxSyntaxError, match=r"nginx.conf:2: .*not in the output of nginx -T"):
        parse(dump, dump.main)


def test_carriage_returns_do_not_hide_headers() -> None:
    """A dump that went through Windows."""
    assert MAIN == Dump(dumped((MAIN, "a;")).replace("\n", "\r\n")).main
