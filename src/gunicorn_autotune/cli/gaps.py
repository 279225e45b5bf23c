"""What could not be read: shown as `?` where the value would stand, with the reasons below."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gunicorn_autotune.cli.style import wrapped

UNKNOWN = "?"


@dataclass(slots=True)
class Gaps:
    """Collects the reasons while a page is made."""

    _found: dict[tuple[str, str], None] = field(default_factory=dict)
    """(what is missing, why), in the order of the page, each once."""

    def show(self, what: str, value: Any, say: Callable[[Any], str]) -> str:
        """`say(value)`; `?` where it is missing, `unlimited` where there is no limit."""
        if value == "unlimited":
            return "unlimited"
        if value is None or (isinstance(value, dict) and "missing" in value):
            self._found[what, value["missing"] if value else "not told"] = None
            return UNKNOWN
        return say(value)

    def forget(self, what: str) -> None:
        """The value is not on the page after all."""
        self._found = {gap: None for gap in self._found if gap[0] != what}

    def notes(self, width: int) -> list[str]:
        """One line for each reason, with everything it explains."""
        by_reason: dict[str, list[str]] = {}
        for what, why in self._found:
            by_reason.setdefault(why, []).append(what)
        lines = []
        for why, names in by_reason.items():
            lines += wrapped(f"{UNKNOWN} {', '.join(names)}: {why}", width, hang=2)
        return lines
