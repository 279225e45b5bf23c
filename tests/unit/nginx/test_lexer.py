"""Words as ngx_conf_read_token() takes them; tests/integration/test_nginx_lexing.py asks nginx itself."""

from __future__ import annotations

import pytest

from gunicorn_autotune.nginx.read.lexer import lex
from gunicorn_autotune.nginx.read.reader import NginxSyntaxError

WORDS = {
    "a b;": ["a", "b", ";"],
    'a "b c" \'d "e"\';': ["a", "b c", 'd "e"', ";"],
    'a b"c d"e;': ["a", 'b"c', 'd"e', ";"],
    r'a "b\"c" \"d e\ f \$ \n;': ["a", 'b"c', '"d', "e\\ f", "\\$", "\n", ";"],
    r"a \; b;": ["a", r"\;", "b", ";"],
    "a ${b}c $d{": ["a", "${b}c", "$d", "{"],
    'a "${b}" ;': ["a", "${b}", ";"],
    "a ${{b;": ["a", "${{b", ";"],
    "a b#c;": ["a", "b#c", ";"],
    "a #c;\n b;": ["a", "#c;", "b", ";"],
    'if ($a = "b") {c;}': ["if", "($a", "=", "b", ")", "{", "c", ";", "}"],
    'a ("b" "c")d;': ["a", '("b"', "c", ")d", ";"],
    "'' a_by_lua_block { b;": ["", "a_by_lua_block", "{", "b", ";"],
    "a '';": ["a", "", ";"],
    "a;b{c;}d}e;": ["a", ";", "b", "{", "c", ";", "}", "d}e", ";"],
    "a\r\n\tb\r\n;\r\n": ["a", "b", ";"],
    "a b\x0bc\u00a0d;": ["a", "b\x0bc\u00a0d", ";"],
    "": [],
    "# a": ["# a"],
}
REFUSED = {
    "a": 'f:1: unexpected end of file, expecting ";" or "}"',
    "a\nb 'c\n;\n": 'f:4: unexpected end of file, expecting ";" or "}" (the quote of line 2 is not closed)',
    "a \\": 'f:1: unexpected end of file, expecting ";" or "}"',
    ";": 'f:1: unexpected ";"',
    "a;\n{": 'f:2: unexpected "{"',
    "a }": 'f:1: unexpected "}"',
    'a "b"c;': 'f:1: unexpected "c" after a closing quote',
    'a "b\n"#c\n;': 'f:2: unexpected "#" after a closing quote',
    "a " + "b" * 4096 + ";": 'f:1: too long parameter "bbbbbbbbbb..." started',
    "a " + "\n\u00e9" * 1 + "b" * 4095 + ";": 'f:2: too long parameter "\u00e9bbbbbbbbb..." started',
    "a " + "b" * 4095 + " ;": 'f:1: too long parameter "bbbbbbbbbb..." started',
    'a "' + "b" * 4095 + '";': 'f:1: too long parameter "bbbbbbbbbb..." started',
    'a "' + "b" * 5000: 'f:1: too long parameter, probably missing terminating " character',
    "#" + "b" * 4095 + "\n": 'f:1: too long parameter "#bbbbbbbbb..." started',
    "a_by_lua_block {\n[[ ]": 'f:2: unexpected end of file, expecting "}" of the Lua code of line 1',
}


@pytest.mark.parametrize("text", WORDS)
def test_words_are_those_of_nginx(text: str) -> None:
    """Quotes, escapes, `${`, `#`, `)` and blanks mean what they mean to nginx."""
    assert WORDS[text] == [token.text for token in lex(text, "f")]


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: repr(text[:20]))
def test_what_nginx_refuses_is_refused_in_its_words(text: str) -> None:
    """The message is one line that begins with file and line."""
    with pytest.raises(NginxSyntaxError) as refusal:
        list(lex(text, "f"))

    assert REFUSED[text] == str(refusal.value)


@pytest.mark.parametrize("text", ["a " + "b" * 4095 + ";", 'a "' + "b" * 4094 + '";', "#" + "b" * 4094 + "\n"])
def test_the_longest_words_fit(text: str) -> None:
    """What just fits in nginx's buffer of 4096 bytes is accepted."""
    assert list(lex(text, "f"))


def test_a_token_has_the_line_it_starts_on() -> None:
    """Lines are counted within quotes, comments and blanks."""
    tokens = list(lex("a\n'b\nc'\n# d\n\ne;", "f"))

    assert [("a", 1), ("b\nc", 2), ("# d", 4), ("e", 6), (";", 6)] == [(token.text, token.line) for token in tokens]


def test_lua_code_is_one_word() -> None:
    """Braces in Lua's strings, comments and long brackets close nothing."""
    code = ' x = { \'}\', "\\"}" } -- }\n --[[ } ]] y = [==[ }]] ]==] '

    tokens = list(lex(f"content_by_lua_block {{{code}}}\nb;", "f"))

    assert ["content_by_lua_block", code, ";", "b", ";"] == [token.text for token in tokens]
    assert [1, 1, 2, 3, 3] == [token.line for token in tokens]
