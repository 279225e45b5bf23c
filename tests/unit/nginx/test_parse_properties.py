"""What holds for any text."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gunicorn_autotune.cli.nginx_files import Disk
from gunicorn_autotune.nginx.read.dump import Dump
from gunicorn_autotune.nginx.read.glob import name_matches
from gunicorn_autotune.nginx.read.parse import parse
from gunicorn_autotune.nginx.read.reader import NginxSyntaxError
from gunicorn_autotune.nginx.read.tree import Directive
from tests.nginx_corpus import FIXTURES, NAMES, laid_out
from tests.nginx_words import Texts, escaped, parsed, printed, shape

PIECES = (
    *"\"'\\#;{}$ ()\n\r\t\0\ufeff\u00a0\u00e9*?[]",
    "${",
    "a",
    "server",
    "include",
    "include *;",
    "include nginx.conf;",
    "map",
    "a_by_lua_block",
    "--",
    "[[",
    "]]",
    "# autotune: ignore NGX001",
    "# configuration file /n:\n",
    "x" * 4090,
)
TEXTS = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
NAMES_OF_DIRECTIVES = st.text("abcz_\"'\\;{}# \n$()*", min_size=1, max_size=8)
SMALL = ("gunicorn-docs", "guide-r", "heroku-buildpack")


def trees() -> st.SearchStrategy[Directive]:
    """Blocks of blocks, with any words."""
    simple = st.builds(made, NAMES_OF_DIRECTIVES, st.lists(WORDS, max_size=3), st.none())
    return st.recursive(
        simple,
        lambda inner: st.builds(made, NAMES_OF_DIRECTIVES, st.lists(WORDS, max_size=2), st.lists(inner, max_size=4)),
        max_leaves=12,
    )


def made(name: str, args: list[str], block: list[Directive] | None) -> Directive:
    """A directive without places."""
    return Directive(name, tuple(args), "", 0, 0, None if block is None else tuple(block))


@given(TEXTS, TEXTS)
def test_any_text_is_a_tree_or_refused(text: str, other: str) -> None:
    """One line that names a file that was read, and a line it has."""
    files = {"nginx.conf": text, "a": other}
    try:
        assert "main" == parse(Texts(files), "nginx.conf").name
    except NginxSyntaxError as error:
        assert 1 <= error.line <= files[error.file].count("\n") + 1
        assert "\n" not in error.what


@given(TEXTS)
def test_any_dump_is_read_or_refused(text: str) -> None:
    """With a header in front, so that something is found."""
    try:
        dump = Dump("# configuration file /n:\n" + text)
        parse(dump, dump.main)
    except NginxSyntaxError as error:
        assert error.line


@given(st.lists(trees(), max_size=4))
def test_what_is_printed_is_parsed_again(block: list[Directive]) -> None:
    """Any words, in quotes, any nesting."""
    tree = made("main", [], block)

    assert shape(tree) == shape(parsed(printed(tree)))


@given(WORDS, st.sampled_from("\"'"))
def test_a_quoted_word_is_that_word(word: str, quote: str) -> None:
    """In either quotes."""
    text = f"a {quote}{escaped(word).replace(quote, chr(92) + quote) if quote == chr(39) else escaped(word)}{quote};"

    assert (word,) == next(parsed(text).walk()).args


@given(st.text("ab*?[]!^\\.-", max_size=8), st.text("ab[]!.-", max_size=8))
def test_any_pattern_is_judged(pattern: str, name: str) -> None:
    """A pattern with a `*` before each character still fits what the pattern fits."""
    fits = name_matches(pattern, name)

    assert not fits or name_matches(pattern + "*", name)


@pytest.mark.parametrize("name", NAMES)
def test_the_corpus_is_printed_and_parsed_again(name: str, tmp_path: Path) -> None:
    """Includes expanded."""
    tree = parse(Disk(tmp_path), str(laid_out(name, tmp_path)))

    assert shape(tree) == shape(parsed(printed(tree)))


@pytest.mark.parametrize("name", SMALL)
def test_every_truncation_is_refused_or_a_beginning(name: str) -> None:
    """Cut anywhere, a file is never taken for something it was not."""
    text = (FIXTURES / "corpus" / name / "nginx.conf").read_text().replace("include", "included")
    whole = list(parsed(text).block or ())
    accepted = 0
    for cut in range(len(text)):
        try:
            part = parsed(text[:cut]).block or ()
        except NginxSyntaxError as error:
            assert "unexpected end of file" in error.what
            assert error.line == text.count("\n", 0, cut) + 1
        else:
            accepted += 1
            assert all(one == other for one, other in zip_longest(part, whole[: len(part)]))

    assert accepted
