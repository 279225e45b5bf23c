"""How the plots draw each controller: colours of Okabe and Ito (colour-blind safe), and a marker of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import matplotlib as mpl

mpl.use("svg")

INK, GREY = "#1a1a1a", "#8a8a8a"
WIDTH_INCHES = 8.0


@dataclass(frozen=True, slots=True)
class Look:
    """Colour, marker and line of one controller."""

    colour: str
    marker: str
    line: str = "-"
    width: float = 1.4


LOOKS: dict[str, Look] = {
    "ours": Look("#D55E00", "*", "-", 2.8),
    "apache": Look("#0072B2", "o"),
    "uwsgi": Look("#009E73", "s"),
    "kpa": Look("#CC79A7", "v", "--"),
    "kpa-limited": Look("#CC79A7", "^"),
    "queue-steps": Look("#56B4E9", "D", "-."),
    "square-root": Look("#E69F00", "P", "--"),
    "static-2k1": Look(INK, "X", ":"),
    "static-64": Look(GREY, "h", ":"),
    "best-static": Look(GREY, "p", "--"),
    "clairvoyant": Look(GREY, "d", "-."),
}
STYLE: dict[str, Any] = {
    "svg.hashsalt": "gunicorn-autotune",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}
NO_DATE = {"Date": None, "Creator": None}
