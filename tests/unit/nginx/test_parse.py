"""Trees, includes, comments that ignore, limits."""

from __future__ import annotations

import time

import pytest

from gunicorn_autotune.nginx.read import reader
from gunicorn_autotune.nginx.read.parse import MAX_BLOCKS_DEEP, parse
from gunicorn_autotune.nginx.read.reader import NginxSyntaxError
from tests.nginx_words import Texts, parsed

MEGABYTES_5 = 5 << 20
BIG = {
    "servers": "server { listen 80; location / { proxy_pass http://a; } }\n",
    "directives": "a;",
    "words": "a ",
    "quotes": "''\n",
    "an escape": "\\a",
    "dollars": "$",
    "blanks": " ",
    "lines": "\n",
    "comments": "# autotune: ignore NGX001\n",
    "blocks": "a {",
    "braces": "}",
    "lua": "a_by_lua_block {}",
    "brackets": "a_by_lua_block { [[",
    "includes": "include a*;",
}
REFUSED = {
    "a;\n}": 'nginx.conf:2: unexpected "}"',
    "a {\nb {\n}\n": 'nginx.conf:4: unexpected end of file, expecting "}" of "a" of line 1',
    "\ninclude a b;": 'nginx.conf:2: invalid number of arguments in "include" directive',
    "include a {}": 'nginx.conf:1: directive "include" is not terminated by ";"',
    "a {\ninclude no.conf;\n}": 'nginx.conf:2: open() "no.conf" failed (2: No such file or directory)',
    "a;\nb \0;": "nginx.conf:2: a NUL byte: this is not text",
    "\ufeffa;": 'nginx.conf:1: unknown directive "\\ufeffa": nginx takes a byte order mark for a letter',
    "a;\n\u00a0 b;": 'nginx.conf:2: unknown directive "\\xa0": nginx takes a no-break space for a letter',
}


def refusal(source: Texts, path: str = "nginx.conf") -> str:
    """What parse() says against a configuration."""
    with pytest.raises(NginxSyntaxError) as raised:
        parse(source, path)
    return str(raised.value)


def test_the_root_is_the_file() -> None:
    """main spans the lines of the main file."""
    root = parsed("a;\nb {\n}\n")

    assert ("main", (), "nginx.conf", 1, 3) == (root.name, root.args, root.file, root.line, root.last_line)


def test_a_directive_spans_its_lines() -> None:
    """From its name to its `;` or closing brace."""
    block = parsed("\na\n b\n{\n c d\n  e;\n}\n").block

    assert block is not None
    assert [("a", 2, 7), ("c", 5, 6)] == [(one.name, one.line, one.last_line) for one in (block[0], *block[0].walk())]


def test_an_empty_block_is_no_simple_directive() -> None:
    """`()` against None."""
    assert [(), None] == [one.block for one in parsed("a {} b;").walk()]


def test_included_directives_follow_their_include() -> None:
    """Each with its own file and line."""
    root = parsed("a;\nb { include x.conf; c; }", x_conf="\nd;\ne {}")

    assert [
        ("a", "nginx.conf:1"),
        ("b", "nginx.conf:2"),
        ("include", "nginx.conf:2"),
        ("d", "x.conf:2"),
        ("e", "x.conf:3"),
        ("c", "nginx.conf:2"),
    ] == [(one.name, one.place) for one in root.walk()]


def test_relative_includes_start_at_the_main_file() -> None:
    """Not at the file that names them, as in nginx."""
    source = Texts({"/n/nginx.conf": "include s/a.conf;", "/n/s/a.conf": "include b.conf;", "/n/b.conf": "b;"})

    assert "/n/b.conf" == list(parse(source, "/n/nginx.conf").walk())[-1].file


def test_a_pattern_includes_in_order() -> None:
    """Sorted by bytes: capitals first."""
    source = Texts({"/n.conf": "include c/*.conf;", "/c/b.conf": "b;", "/c/B.conf": "B;", "/c/a.conf~": "x;"})

    assert ["include", "B", "b"] == [one.name for one in parse(source, "/n.conf").walk()]


def test_a_pattern_may_find_nothing() -> None:
    """As nginx does with conf.d/*.conf."""
    assert ["include"] == [one.name for one in parsed("include conf.d/*.conf;").walk()]


def test_a_map_may_include() -> None:
    """With a byte order mark too, which is the start of a word there."""
    names = [one.name for one in parsed("map $a $b { include m.conf; }", m_conf="\ufeffx 1;").walk()]

    assert ["map", "include", "\ufeffx"] == names


def test_lua_code_is_the_last_argument() -> None:
    """A block of another language is no block of directives."""
    one = next(parsed("set_by_lua_block $a {\n return 1\n}").walk())

    assert ("set_by_lua_block", ("$a", "\n return 1\n"), None, 3) == (one.name, one.args, one.block, one.last_line)


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: repr(text[:20]))
def test_what_is_refused_names_file_and_line(text: str) -> None:
    """In nginx's words where nginx has any."""
    assert REFUSED[text] == refusal(Texts({"nginx.conf": text}))


def test_a_main_file_that_is_missing_is_named() -> None:
    """Its own line 1 stands for the place that asked."""
    assert 'x:1: open() "x" failed (2: No such file or directory)' == refusal(Texts(), "x")


def test_a_block_cannot_end_in_another_file() -> None:
    """Each file closes what it opened, and no more."""
    assert 'x:1: unexpected "}"' == refusal(Texts({"nginx.conf": "a { include x;", "x": "b; }"}))


def test_a_file_that_includes_itself_is_named() -> None:
    """nginx 1.22.1 dies of it with SIGSEGV."""
    source = Texts({"nginx.conf": "include ./a*;", "./a": "\ninclude b;", "b": "include ././a;"})

    assert "b:1: a file includes itself, which crashes nginx: a -> b -> a" == refusal(source)


def test_includes_may_not_go_too_deep() -> None:
    """Whatever the names: links and `..` make endless new ones."""
    names = {f"{'x/../' * depth}a": f"include {'x/../' * (depth + 1)}a;" for depth in range(99)}
    chain = {f"a{number}": f"include a{number + 1};" for number in range(99)}

    assert "a file includes itself" in refusal(Texts(names), "a")
    assert f"more than {reader.MAX_INCLUDES_DEEP} deep" in refusal(Texts(chain), "a0")


def test_includes_may_not_multiply(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten files that include the next ten times are 10^10 files."""
    monkeypatch.setattr(reader, "MAX_FILES", 500)
    chain = {f"a{number}": f"include a{number + 1};" * 10 for number in range(10)} | {"a10": ""}

    assert "more than 500 files" in refusal(Texts(chain), "a0")


def test_blocks_may_not_go_too_deep() -> None:
    """A limit of ours, counted through includes; never RecursionError."""
    inner = "b {" * (MAX_BLOCKS_DEEP - 1) + "}" * (MAX_BLOCKS_DEEP - 1)

    assert parsed("a { include i.conf; }", i_conf=inner)
    assert "i:1: more than" in refusal(Texts({"nginx.conf": "a { c { include i; } }", "i": inner}))


def seconds_for(piece: str, size: int) -> float:
    """CPU seconds in which so many characters are read or refused."""
    text, started = piece * (size // len(piece)), time.process_time()
    try:
        parsed(text)
    except NginxSyntaxError as error:
        assert "nginx.conf" == error.file
    return time.process_time() - started


@pytest.mark.parametrize("piece", BIG.values(), ids=BIG.keys())
def test_the_largest_file_takes_no_more_than_its_share_of_time(piece: str) -> None:
    """Whatever it is made of. Sixteen times the characters may take 64 times as long on a busy machine; work that grows
    with the square would take 256 times. Five megabytes are refused sooner."""
    largest = reader.MAX_CHARACTERS - 1
    small = min(seconds_for(piece, largest // 16) for _ in range(5))
    large = seconds_for(piece, largest)

    assert large < 64 * small
    assert seconds_for(piece, MEGABYTES_5) < 64 * small


def test_a_comment_ignores_rules_on_its_line() -> None:
    """One or several ids, with a reason behind if one likes."""
    root = parsed(
        "a; # autotune: ignore NGX203, ngx001 for now\nb; # ignore NGX002\nc; #autotune:ignore NGX003 NGX004\n"
    )

    assert [{"NGX203", "NGX001"}, set(), {"NGX003", "NGX004"}] == [set(one.ignored) for one in root.walk()]


def test_a_comment_on_a_blocks_line_is_about_the_block_alone() -> None:
    """The line of its name or of its `{`, not that of its `}`."""
    root = parsed("a # autotune: ignore NGX001\n{ # autotune: ignore NGX002\nb;\n} # autotune: ignore NGX003\n")

    assert [{"NGX001", "NGX002"}, set()] == [set(one.ignored) for one in root.walk()]


def test_a_comment_within_a_long_directive_counts() -> None:
    """Any of its lines, the last included."""
    root = parsed("a b # autotune: ignore NGX001\n c\n d; # autotune: ignore NGX002\n")

    assert [{"NGX001", "NGX002"}] == [set(one.ignored) for one in root.walk()]


def test_what_looks_like_such_a_comment_in_quotes_is_none() -> None:
    """Only comments count."""
    assert [frozenset()] == [one.ignored for one in parsed("a '# autotune: ignore NGX001';").walk()]
