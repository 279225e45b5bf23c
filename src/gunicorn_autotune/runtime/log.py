"""Log lines: `autotune: <event> key=value ...`, one per change, through Gunicorn's own error log.

Whatever a value holds, the line stays one line and its keys stay ours: text with a space, a quote or a control
character is written as its Python literal.
"""

from __future__ import annotations

from typing import Any

from gunicorn_autotune.model.printable import printable


def line(event: str, **facts: Any) -> str:
    """`autotune: event key=value`; floats with at most four digits after the point."""
    return " ".join([f"autotune: {printable(event)}", *(f"{name}={_text(value)}" for name, value in facts.items())])


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    text = str(value)
    return repr(text) if not text.isprintable() or any(mark in text for mark in " \"'") else text
