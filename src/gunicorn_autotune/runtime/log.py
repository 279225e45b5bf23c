"""Log lines: `autotune: <event> key=value ...`, one per change, through Gunicorn's own error log."""

from __future__ import annotations

from typing import Any


def line(event: str, **facts: Any) -> str:
    """`autotune: event key=value`; floats with at most four digits after the point."""
    return " ".join([f"autotune: {event}", *(f"{name}={_text(value)}" for name, value in facts.items())])


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    text = str(value)
    return repr(text) if " " in text or "\n" in text else text
