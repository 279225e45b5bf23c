"""A replay as a page of at most 100 columns. Pure: a replay in, text out."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable

from gunicorn_autotune import __version__
from gunicorn_autotune.cli.replay_plot import clock, strips
from gunicorn_autotune.cli.replayed import Replay, Turn, answer
from gunicorn_autotune.cli.style import WIDEST, Style, clipped, figure, seconds_text, table, wrapped
from gunicorn_autotune.model.decisions import Action, Decision
from gunicorn_autotune.model.flight import FIRST_TICK
from gunicorn_autotune.model.readings import Missing

OPEN_LOOP = (
    "Open loop: load and worker count stay as recorded, whatever is decided now. Read each line as what would be "
    "decided in that situation, not as what would have followed."
)
SAME = "same"
SEEN: dict[str, Callable[[float], str]] = {
    "backlog": lambda it: f"{it:.0f} waiting" if it else "",
    "arrivals_per_second": lambda it: f"{figure(it)}/s",
    "busy_share": lambda it: f"{it:.0%} busy",
    "queue_p95_seconds": lambda it: f"p95 wait {1000 * it:.0f} ms" if it >= 0.0005 else "",
}
"""The main figures behind a decision, in few letters: four columns stand before them."""
HEADINGS: tuple[str, ...] = ("time", "then", "why", "now", "why", "ticks", "seen")


def page(replayed: Replay, name: str, style: Style, *, every: bool = False) -> str:
    """The whole page; `every` tick gets a line of its own, or only those that change the count."""
    lines = [*_header(replayed, name, style), "", *_decisions(replayed, style, every), "", *_sum(replayed, style)]
    if replayed.flight.fault:
        lines.append(style.paint("yellow", f"the record ends early: {replayed.flight.fault}"))
    return "\n".join([*lines, "", *strips(replayed, style)])


def _header(replayed: Replay, name: str, style: Style) -> list[str]:
    header, turns = replayed.flight.header, replayed.turns
    begin, end, threads = turns[0].unix_seconds, turns[-1].unix_seconds, turns[0].snapshot.threads
    facts = {name: header.server.get(name, "?") for name in ("gunicorn", "worker_class", "python")}
    day = time.strftime("%Y-%m-%d", time.localtime(begin))
    lines = [
        style.paint("bold", f"{name}: gunicorn {facts['gunicorn']}, {facts['worker_class']}")
        + (f" x {threads}" if threads > 1 else "")
        + f", autotune {header.autotune}, python {facts['python']}",
        f"{day} {clock(begin)} to {clock(end)} local time, {seconds_text(end - begin)}, {len(turns)} ticks",
    ]
    if header.autotune != __version__:
        lines.append(f"decided again by autotune {__version__}")
    if isinstance(header.history, Missing) and header.history != FIRST_TICK:
        lines += wrapped(f"the law starts without a memory: {header.history.why}", style.width or WIDEST)
    changed = [f"{name}={both['now']} (then {both['then']})" for name, both in replayed.changed_settings.items()]
    return [*lines, f"now with {', '.join(changed)}"] if changed else lines


def _decisions(replayed: Replay, style: Style, every: bool) -> list[str]:
    shown = [[turn] for turn in replayed.turns] if every else _runs(replayed)
    if not shown:
        return ["No decision, then or now, asks for another count."]
    rows = [HEADINGS, *map(_row, shown)]
    if not any(turns[0].differs for turns in shown):
        rows = [(*row[:3], *row[5:]) for row in rows]
    head, *lines = table(rows, left=frozenset({0, 1, 2, 3, 4, len(rows[0]) - 1}))
    cut = lines if style.width is None else [clipped(line, style.width) for line in lines]
    painted = [
        style.paint("yellow", line) if turns[0].differs else line for turns, line in zip(shown, cut, strict=True)
    ]
    return [style.paint("dim", head), *painted]


def _runs(replayed: Replay) -> list[list[Turn]]:
    """Ticks in a row with the same answers, where one of the answers asks for another count."""
    groups = itertools.groupby(replayed.turns, key=_sameness)
    return [list(turns) for (moves, *_), turns in groups if moves]


def _sameness(turn: Turn) -> tuple[object, ...]:
    return turn.moves, turn.snapshot.target, answer(turn.then), answer(turn.now)


def _row(turns: list[Turn]) -> tuple[str, ...]:
    turn = turns[0]
    now = (_step(turn, turn.now), turn.now.reason.value) if turn.differs else (SAME, "")
    again = f"x{len(turns)}" if len(turns) > 1 else ""
    facts = [say(turn.then.facts[name]) for name, say in SEEN.items() if name in turn.then.facts]
    return (stamp(turn), _step(turn, turn.then), turn.then.reason.value, *now, again, ", ".join(filter(None, facts)))


def _step(turn: Turn, decision: Decision) -> str:
    if decision.action is Action.HOLD:
        return f"hold {decision.target}"
    who = "" if decision.victim is None else f", age {decision.victim} leaves"
    return f"{decision.action.value} {turn.snapshot.target} -> {decision.target}{who}"


def stamp(turn: Turn) -> str:
    """Local time, to the tenth: four ticks fit into a second."""
    tenths = math.floor(turn.unix_seconds * 10)
    return f"{clock(tenths // 10)}.{tenths % 10}"


def _sum(replayed: Replay, style: Style) -> list[str]:
    turns, different = replayed.turns, replayed.different
    if not different:
        text = style.paint("green", f"The same decision at all {len(turns)} ticks.")
    else:
        first = turns[different[0]]
        counts = sum(turns[at].then.target != turns[at].now.target for at in different)
        text = (
            f"{len(different)} of {len(turns)} ticks are decided differently now, {counts} of them with another count. "
            f"First at {stamp(first)}: then {_step(first, first.then)} ({first.then.reason.value}), "
            f"now {_step(first, first.now)} ({first.now.reason.value})."
        )
    width = style.width or WIDEST
    lines = [text] if not different else wrapped(text, width)
    return lines + (wrapped(OPEN_LOOP, width) if different or replayed.changed_settings else [])
