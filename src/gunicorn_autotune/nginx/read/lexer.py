"""nginx's words: what ngx_conf_read_token() takes from a file, with the line of each.

Held against nginx 1.22.1 in tests/integration/test_nginx_lexing.py. What is easily got wrong: quotes and `#` mean
something only at the start of a word; `${` opens no block, inside quotes or not; after a closing quote comes a blank,
`;`, `{` or `)`; nothing, comments included, may outgrow nginx's buffer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from gunicorn_autotune.nginx.read.reader import NginxSyntaxError, printable

WORD, MARK, COMMENT = "word", "mark", "comment"
BUFFER_BYTES = 4096
"""NGX_CONF_BUFFER: from the start of a word, nginx reads no further than this."""
OUT_OF_TEXT = 'unexpected end of file, expecting ";" or "}"'

_BLANK = " \t\r\n"
_SURELY_FITS = BUFFER_BYTES // 4 - 2
"""Characters, of four bytes at most each, with two to follow."""
# Repeats are bounded: a longer word is refused anyway, and the regular expression engine keeps every repeat in memory.
_TOKEN = re.compile(
    r"""[ \t\r\n]*(?:
        (?P<mark>[;{}])
      | (?P<word>(?:\\.|\$\{*|[^ \t\r\n;{}"'\\$#])(?:[^ \t\r\n;{\\$]+|\\.|\$\{*){0,4096})
      | (?P<comment>\#[^\n]*)
      | "(?P<double>[^"\\]*(?:\\.[^"\\]*){0,4096})"
      | '(?P<single>[^'\\]*(?:\\.[^'\\]*){0,4096})'
    )""",
    re.DOTALL | re.VERBOSE,
)
_LUA = re.compile(
    r"""[^-\["'{}]+
      | (?:--)?\[(?P<level>=*)\[
      | --[^\n]*
      | "[^"\\]*(?:\\.[^"\\]*){0,4096}"
      | '[^'\\]*(?:\\.[^'\\]*){0,4096}'
      | [-\[{}]""",
    re.DOTALL | re.VERBOSE,
)
"""In Lua braces may stand in strings and comments."""
_ESCAPE = re.compile(r"\\([\"'\\trn])")
_ESCAPED = {"t": "\t", "r": "\r", "n": "\n"}


class Token(NamedTuple):
    """A word without its quotes and escapes, a `;`, `{` or `}`, or a comment from its `#` on."""

    kind: str
    text: str
    line: int
    """Where it starts, from 1."""


def lex(text: str, file: str) -> Iterator[Token]:
    """The tokens of one file; a `*_by_lua_block { ... }` gives its code as one word, then `;`.

    Raises NginxSyntaxError, in nginx's words, for what no configuration can hold. Whether braces pair is not looked at.
    """
    line, at, first, words = 1, 0, "", 0
    while match := _TOKEN.match(text, at):
        kind = str(match.lastgroup)
        start, end = match.span(kind)
        if start > at:
            line += text.count("\n", at, start)
        token = _token(kind, match[kind], line)
        at = match.end()
        if end - start > _SURELY_FITS and kind != MARK:
            _check_length(text, start, end, kind, file, line)
        if kind in ("double", "single"):
            _check_after_quote(text, at, file, line + text.count("\n", start, at))
        if token.kind == WORD:
            first, words = first if words else token.text, words + 1
        elif token.kind == MARK:
            _check_mark(token, words, file)
            if token.text == "{" and first.endswith("_by_lua_block"):
                code, at = _lua_block(text, at, file, line)
                yield Token(WORD, code, line)
                line += code.count("\n")
                token = Token(MARK, ";", line)
                start = at
            first, words = "", 0
        yield token
        line += text.count("\n", start, at)
    _check_rest(text, at, words, file, line)


def _token(kind: str, text: str, line: int) -> Token:
    return Token(kind, text, line) if kind in (MARK, COMMENT) else Token(WORD, unescaped(text), line)


def unescaped(word: str) -> str:
    """A word as written, without its quotes, as nginx works with it: of other escapes the backslash stays."""
    return _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), word) if "\\" in word else word


def _check_mark(token: Token, words: int, file: str) -> None:
    if (token.text == "}") == (words > 0):
        raise NginxSyntaxError(file, token.line, f'unexpected "{token.text}"')


def _check_after_quote(text: str, at: int, file: str, line: int) -> None:
    after = text[at : at + 1]
    if after and after not in _BLANK + ";{)":
        raise NginxSyntaxError(file, line, f'unexpected "{printable(after)}" after a closing quote')


def _check_length(text: str, start: int, end: int, kind: str, file: str, line: int) -> None:
    """nginx must hold the word, what ends it, and one more byte where that is a blank, or it gives up."""
    held = _bytes(text[start:end])
    if kind == COMMENT:
        fits = held < BUFFER_BYTES + (end == len(text))
    else:
        last = end + (kind != WORD)
        fits = held + (last - end) + (text[last : last + 1] in _BLANK and last + 1 < len(text)) < BUFFER_BYTES
    if not fits:
        raise NginxSyntaxError(file, line, f'too long parameter "{printable(text[start : start + 10])}..." started')


def _check_rest(text: str, at: int, words: int, file: str, line: int) -> None:
    """What follows the last token: blanks, or a quote or an escape that never ends."""
    rest = text[at:].lstrip(_BLANK)
    opened = line + text.count("\n", at, len(text) - len(rest))
    if rest[:1] in ('"', "'") and _bytes(rest[1 : BUFFER_BYTES + 2]) > BUFFER_BYTES:
        raise NginxSyntaxError(file, opened, f"too long parameter, probably missing terminating {rest[0]} character")
    if rest or words:
        quote = f" (the quote of line {opened} is not closed)" if rest[:1] in ('"', "'") else ""
        raise NginxSyntaxError(file, line + text.count("\n", at), OUT_OF_TEXT + quote)


def _bytes(text: str) -> int:
    # As UTF-8 whatever the file was: of another encoding only words of nearly 4096 bytes can be judged wrongly.
    return len(text.encode("utf-8", "surrogatepass"))


def _lua_block(text: str, at: int, file: str, line: int) -> tuple[str, int]:
    """The code from `at`, just behind its `{`, and where its `}` ends; `line` is that of the `{`."""
    start, depth = at, 1
    while match := _LUA.match(text, at):
        at = match.end()
        if match["level"] is not None:
            closing = f"]{match['level']}]"
            at = text.find(closing, at) + len(closing)
            if at < len(closing):
                break
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if not depth:
            return text[start : at - 1], at
    raise NginxSyntaxError(
        file, line + text.count("\n", start), f'unexpected end of file, expecting "}}" of the Lua code of line {line}'
    )
