"""The end of a `*_by_lua_block { ... }`: code in another language, where braces may stand in strings and comments."""

from __future__ import annotations

import re

from gunicorn_autotune.nginx.source import NginxSyntaxError

_PIECE = re.compile(
    r"""[^-\["'{}]+
      | (?:--)?\[(?P<level>=*)\[
      | --[^\n]*
      | "[^"\\]*(?:\\.[^"\\]*){0,4096}"
      | '[^'\\]*(?:\\.[^'\\]*){0,4096}'
      | [-\[{}]""",
    re.DOTALL | re.VERBOSE,
)


def lua_block(text: str, at: int, file: str, line: int) -> tuple[str, int]:
    """The code from `at`, just behind its `{`, and where its `}` ends; `line` is that of the `{`."""
    start, depth = at, 1
    while match := _PIECE.match(text, at):
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
