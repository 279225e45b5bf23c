"""`# autotune: ignore NGX203, NGX001`: rules that a comment switches off for what stands on its line."""

from __future__ import annotations

import re

from gunicorn_autotune.nginx.lexer import COMMENT, lex
from gunicorn_autotune.nginx.source import NginxSyntaxError

Ignores = dict[int, frozenset[str]]
"""Ids by line."""

_COMMENT = re.compile(r"#\s*autotune:\s*ignore((?:[\s,]+NGX\d+)+)", re.IGNORECASE)
_ID = re.compile(r"NGX\d+")
_NOTHING: frozenset[str] = frozenset()


def ignores_of(text: str, file: str) -> Ignores:
    """Of a file that may yet prove wrong: what stands before the error."""
    found: Ignores = {}
    if "autotune:" not in text:
        return found
    try:
        for token in lex(text, file):
            if token.kind == COMMENT and (match := _COMMENT.match(token.text)):
                found[token.line] = frozenset(_ID.findall(match[1].upper()))
    except NginxSyntaxError:
        pass
    return found


def ignored_on(ignores: Ignores, first_line: int, last_line: int) -> frozenset[str]:
    """The ids of all lines from the first to the last."""
    if not ignores:
        return _NOTHING
    return _NOTHING.union(*(ignores.get(line, _NOTHING) for line in range(first_line, last_line + 1)))
