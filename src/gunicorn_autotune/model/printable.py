"""Text from strangers, made fit for a line that people or programs read. Pure."""

from __future__ import annotations

from typing import Any

SHOWN_CHARACTERS = 40


def shown(value: Any) -> str:
    """`value` for a line that people read: printable ASCII, cut when long."""
    try:
        text = ascii(value)
    except (ValueError, RecursionError):
        return "(a huge value)"
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."


def printable(text: str) -> str:
    """`text` as one line without control characters: each of them is shown as its escape."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
