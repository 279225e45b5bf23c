"""What was measured, for the terminal."""

from __future__ import annotations

from typing import Any

from benchmarks.faults import goals, kept
from benchmarks.faults.tables import Table, lowest_table, tables

from gunicorn_autotune.cli import style


def parts_of(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Of each cell the run on its newest Gunicorn."""
    return {cell: versions[kept.newest(versions)] for cell, versions in document["cells"].items() if versions}


def ran(parts: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Those with figures."""
    return {cell: part for cell, part in parts.items() if "not_run" not in part}


def report(document: dict[str, Any]) -> str:
    """Every table, then the goals."""
    parts = parts_of(document)
    lines: list[str] = []
    for cell, part in parts.items():
        if "not_run" in part:
            lines += [f"{cell}: not run: {part['not_run']}", ""]
        else:
            lines += [line for table in tables(cell, part) for line in text(table)]
    if {"leak", "recycle"} & set(ran(parts)):
        lines += text(lowest_table(ran(parts)))
    return "\n".join(lines + text(goal_table(parts))).rstrip()


def goal_table(parts: dict[str, dict[str, Any]]) -> Table:
    """Met or missed, said plainly."""
    rows = [(one.what, one.goal, one.figure, one.word, one.yardstick) for one in goals.verdicts(parts)]
    return Table("Goals", ("measured", "goal", "ours", "", "with Gunicorn's own means"), tuple(rows))


def text(table: Table) -> list[str]:
    """A table for people."""
    cells = [[bare(cell) for cell in row] for row in (table.heads, *table.rows)]
    rows = style.table(cells, frozenset(range(len(table.heads))))
    return [table.title, *(f"  {row}" for row in rows), *(f"  - {bare(note)}" for note in table.notes), ""]


def bare(cell: str) -> str:
    """Without Markdown."""
    return cell.replace("`", "").replace("**", "")
