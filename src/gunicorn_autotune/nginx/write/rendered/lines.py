"""How the rendered files look: names, values and comments in columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Row = str | tuple[str, str] | tuple[str, str, str]
"""A line as it is, or a directive: name, value, and perhaps why."""
_INDENT = "    "
_VALUE_COLUMNS = 34
"""Longer values do not push the comments of their neighbours to the right."""


def rows(lines: Iterable[Row], depth: int = 0) -> str:
    """The lines, `depth` blocks deep; directives that follow one another share their columns."""
    text, group = "", list[Sequence[str]]()
    for line in lines:
        if isinstance(line, str):
            text += _group(group, depth) + (_INDENT * depth + line).rstrip() + "\n"
            group = []
        else:
            group.append(line)
    return text + _group(group, depth)


def block(head: str, lines: Iterable[Row], depth: int = 0) -> str:
    """`head {`, the lines one deeper, `}`."""
    return f"{_INDENT * depth}{head} {{\n{rows(lines, depth + 1)}{_INDENT * depth}}}\n"


def _group(group: Sequence[Sequence[str]], depth: int) -> str:
    if not group:
        return ""
    names = max(len(one[0]) for one in group)
    values = max((len(one[1]) for one in group if len(one) > 2 and len(one[1]) <= _VALUE_COLUMNS), default=0)
    text = ""
    for one in group:
        line = f"{_INDENT * depth}{one[0].ljust(names)} {one[1]};"
        if len(one) > 2:
            line = line.ljust(len(_INDENT * depth) + names + values + 2) + f"  # {one[2]}"
        text += line + "\n"
    return text
