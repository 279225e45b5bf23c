"""How the commands look: colour only on a terminal, tables that line up, sizes and times for people."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

USAGE_ERROR = 2
WIDEST = 100
"""Columns. Wider terminals are not filled: a line must stay readable in one glance."""
_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
_DURATIONS = ((86400.0, "d", 3600.0, "h"), (3600.0, "h", 60.0, "min"), (60.0, "min", 1.0, "s"))


class CommandError(Exception):
    """The command cannot be carried out as written; the text is for the operator, mostly one line."""

    def __init__(self, text: str, code: int = USAGE_ERROR) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Style:
    """What the output may use."""

    colour: bool = False
    unicode: bool = False
    width: int | None = None
    """Columns of the terminal, at most WIDEST; None where it is none, and lines are not wrapped."""

    def fit(self, text: str) -> str:
        """`text` cut to WIDEST columns on a terminal, whole where a file or another program takes it."""
        return text if self.width is None else clipped(text, WIDEST)

    def paint(self, how: str, text: str) -> str:
        """`text` in bold, dim, red, green or yellow, or as it is."""
        return f"\033[{_CODES[how]}m{text}\033[0m" if self.colour and text else text


def style_of(stream: TextIO, environment: Mapping[str, str]) -> Style:
    """ANSI only on a terminal that wants it (https://no-color.org); block characters where the encoding has them."""
    terminal = stream.isatty()
    colour = terminal and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
    unicode = (stream.encoding or "").lower().replace("-", "") == "utf8"
    width = min(WIDEST, shutil.get_terminal_size().columns) if terminal else None
    return Style(colour, unicode, width)


def bar(style: Style, share: float, cells: int) -> str:
    """`share` (0..1) as a bar; anything above zero shows at least one cell."""
    full, empty = ("█", "░") if style.unicode else ("#", ".")
    filled = min(cells, max(round(share * cells), 1 if share > 0 else 0))
    return full * filled + empty * (cells - filled)


def table(rows: Sequence[Sequence[str]], left: frozenset[int] = frozenset()) -> list[str]:
    """Lines whose columns line up, two spaces apart; right-aligned but for the columns in `left`."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if at in left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def wrapped(text: str, width: int, hang: int = 0) -> list[str]:
    """Lines of at most `width`, all but the first `hang` columns in; a long word stays whole."""
    return textwrap.wrap(
        text, width, subsequent_indent=" " * hang, break_long_words=False, break_on_hyphens=False
    )  # fmt: skip


def clipped(text: str, width: int) -> str:
    """`text` cut to `width` columns, the loss marked."""
    return text if len(text) <= width else text[: width - 3] + "..."


def bytes_text(count: float) -> str:
    """`574 MiB`, `1.5 GiB`: three digits at most below a tebibyte."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 999.5:
            return f"{figure(count)} {unit}"
        count /= 1024
    return f"{figure(count)} TiB"


def figure(number: float) -> str:
    """`0.25`, `3.9`, `47`: two digits that matter, whole from ten up."""
    if number >= 9.95 or number == int(number):
        return f"{number:.0f}"
    return f"{number:.{1 if number >= 0.95 else 2}f}".rstrip("0").rstrip(".")


def seconds_text(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`, `5 d 3 h`."""
    for size, unit, small, small_unit in _DURATIONS:
        if seconds >= size:
            rest = int(seconds % size // small)
            return f"{int(seconds // size)} {unit}" + (f" {rest} {small_unit}" if rest else "")
    return f"{figure(seconds)} s" if seconds < 59.5 else "59 s"


def count_text(count: int) -> str:
    """A count of up to seven digits as it is, a larger one as `12.3 M`."""
    return str(count) if count < 10_000_000 else f"{count / 1e6:.1f} M"
