"""How the plots draw each contender: the same colour, marker and line everywhere, told apart by the colour-blind."""

from __future__ import annotations

from benchmarks.contest.contenders import ADAPTIVE, THREADED, UWSGI
from benchmarks.contest.roles import GRANIAN, MOST, ORACLE, PASSENGER, RECYCLED, RULE, UWSGI_FAST, UWSGI_RECYCLED
from benchmarks.simulation.palette import GREY, INK, Look

LOOKS: dict[str, Look] = {
    ADAPTIVE: Look("#D55E00", "*", "-", 2.6),
    ORACLE: Look("#0072B2", "o", "-", 1.3),
    RULE: Look(INK, "X", ":", 1.6),
    THREADED: Look("#E69F00", "P", "--", 1.3),
    MOST: Look(GREY, "h", ":", 1.6),
    UWSGI: Look("#009E73", "s", "-", 1.3),
    UWSGI_FAST: Look("#009E73", "D", "--", 1.3),
    GRANIAN: Look("#CC79A7", "^", "-.", 1.3),
    PASSENGER: Look("#56B4E9", "v", "-.", 1.3),
    RECYCLED: Look(INK, "p", "--", 1.3),
    UWSGI_RECYCLED: Look("#009E73", "H", ":", 1.6),
}
OTHER = Look("#c4c4c4", ".", ":", 0.9)
"""A static count of the sweep that plays no part."""
