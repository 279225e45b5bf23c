"""docs/nginx-measured.md, rendered from benchmarks/results/nginx.json: figures are never typed by hand.

python -m benchmarks.nginx --page
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.faults.options import ROOT
from benchmarks.faults.page import markdown
from benchmarks.faults.tables import Table, one_line
from benchmarks.nginx import advice, goals, kept, page_words
from benchmarks.nginx.tables import tables

PAGE = ROOT / "docs" / "nginx-measured.md"


def page(document: dict[str, Any]) -> str:
    """The whole page."""
    parts = document["cells"]
    lines = [page_words.HEAD, *_notes(parts), page_words.METHOD, page_words.LIMITS, *markdown(goal_table(parts))]
    for cell, words in page_words.CELLS.items():
        lines += _cell(cell, words, parts.get(cell))
    return "\n".join([*lines, *_again(parts)]).rstrip() + "\n"


def goal_table(parts: dict[str, dict[str, Any]]) -> Table:
    """Met or missed, said plainly."""
    rows = [(one.what, one.goal, one.figure, one.word, one.yardstick) for one in goals.verdicts(parts)]
    return Table("Goals", ("measured", "goal", "ours", "", "beside it"), tuple(rows))


def _notes(parts: dict[str, dict[str, Any]]) -> list[str]:
    """What a reader must know of these runs before their figures."""
    short = [cell for cell, part in parts.items() if part.get("quick")]
    notes = dict.fromkeys(part["note"] for part in parts.values() if part.get("note"))
    return [page_words.SHORT.format(cells=", ".join(short))] * bool(short) + [f"**{note}**\n" for note in notes]


def _cell(cell: str, words: str, part: dict[str, Any] | None) -> list[str]:
    title, _, text = words.partition("\n")
    if part is None:
        return [f"## {title}", "", "Not run yet.", ""]
    if "not_run" in part:
        return [f"## {title}", "", text.strip(), "", f"Not run: {one_line(part['not_run'])}.", ""]
    shown = [line for table in tables(cell, part) for line in markdown(table)[2:]]
    return [f"## {title}", "", text.strip(), "", *shown]


def _again(parts: dict[str, dict[str, Any]]) -> list[str]:
    lines = ["## Do it again", "", page_words.AGAIN, ""]
    for cell, part in parts.items():
        machine, (before, after) = part["machine"], part["load_averages"]
        lines.append(
            f"- {cell}: `{part['command']}`, {part['taken'][:10]}, {part['took_seconds'] / 60:.1f} min, on"
            f" {machine['cores']} cores, {machine['cpu']}, {machine['python']}, gunicorn"
            f" {machine['gunicorn']}, nginx {machine['nginx']}; load average {before:.1f} before, {after:.1f} after"
        )
    return lines


def write(results: Path = kept.RESULTS, folder: Path = PAGE.parent) -> None:
    """The page, and the figures in the page for users."""
    document = kept.read(results)
    (folder / PAGE.name).write_text(page(document))
    users = folder / advice.PAGE.name
    users.write_text(advice.page(document["cells"], users.read_text()))
