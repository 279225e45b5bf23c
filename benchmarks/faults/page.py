"""docs/reliability.md and its picture, rendered from benchmarks/results/faults.json: figures are never typed by hand.

python -m benchmarks.faults --page
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.faults import kept, page_words
from benchmarks.faults.options import ROOT
from benchmarks.faults.picture import leak_picture
from benchmarks.faults.report import goal_table, parts_of, ran
from benchmarks.faults.tables import Table, lowest_table, one_line, tables

PAGE = ROOT / "docs" / "reliability.md"
PICTURE = "reliability-leak.svg"


def page(document: dict[str, Any]) -> str:
    """The whole page."""
    parts = parts_of(document)
    lines = [page_words.HEAD, *_notes(document), page_words.METHOD, page_words.LIMITS, *markdown(goal_table(parts))]
    for cell, words in page_words.CELLS.items():
        lines += _cell(cell, words, parts.get(cell))
        if cell == "recycle":
            lines += _lowest(parts) + _older(document["cells"].get(cell, {}))
    return "\n".join([*lines, *_again(parts)]).rstrip() + "\n"


def _notes(document: dict[str, Any]) -> list[str]:
    """What a reader must know of these runs before their figures."""
    parts = [part for versions in document["cells"].values() for part in versions.values()]
    notes = dict.fromkeys(part["note"] for part in parts if part.get("note"))
    return [f"**{note}**\n" for note in notes]


def _cell(cell: str, words: str, part: dict[str, Any] | None) -> list[str]:
    title, _, text = words.partition("\n")
    if part is None:
        return [f"## {title}", "", "Not run yet.", ""]
    if "not_run" in part:
        return [f"## {title}", "", text.strip(), "", f"Not run: {one_line(part['not_run'])}.", ""]
    picture = [f"![Memory and ready workers over time]({PICTURE})", ""] if cell == "leak" else []
    shown = [line for table in tables(cell, part) for line in markdown(table)[2:]]
    return [f"## {title}", "", text.strip(), "", *picture, *shown]


def _lowest(parts: dict[str, dict[str, Any]]) -> list[str]:
    found = ran(parts)
    return markdown(lowest_table(found), "###") if {"leak", "recycle"} & set(found) else []


def _older(versions: dict[str, dict[str, Any]]) -> list[str]:
    """The same on every other Gunicorn that was measured."""
    lines: list[str] = []
    newest = kept.newest(versions) if versions else ""
    for version in sorted(versions, key=kept.numbers, reverse=True):
        if version != newest and "not_run" not in versions[version]:
            table = tables("recycle", versions[version])[0]
            lines += markdown(Table(f"The same on Gunicorn {version}", table.heads, table.rows, table.notes), "###")
    return lines


def _again(parts: dict[str, dict[str, Any]]) -> list[str]:
    lines = ["## Do it again", "", page_words.AGAIN, ""]
    for cell, part in parts.items():
        machine, (before, after) = part["machine"], part["load_averages"]
        lines.append(
            f"- {cell}: `{part['command']}`, {part['taken'][:10]}, {part['took_seconds'] / 60:.0f} min, on"
            f" {machine['cores']} cores, {machine['cpu']}, {machine['python']}, gunicorn {machine['gunicorn']}; load"
            f" average {before:.1f} before, {after:.1f} after"
        )
    return lines


def markdown(table: Table, level: str = "##") -> list[str]:
    """Title, table, notes."""
    lines = [f"{level} {table.title}", "", f"| {' | '.join(table.heads)} |", "|" + "---|" * len(table.heads)]
    lines += [f"| {' | '.join(row)} |" for row in table.rows]
    notes = [f"- {note}" for note in table.notes]
    return [*lines, "", *notes, *([""] if notes else [])]


def pictures(document: dict[str, Any]) -> dict[str, str]:
    """By file name."""
    part = ran(parts_of(document)).get("leak")
    return {PICTURE: leak_picture(part)} if part else {}


def write(folder: Path = PAGE.parent, results: Path = kept.RESULTS) -> None:
    """The page and its picture."""
    document = kept.read(results)
    (folder / PAGE.name).write_text(page(document))
    for name, text in pictures(document).items():
        (folder / name).write_text(text)
