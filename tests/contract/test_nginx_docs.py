"""The nginx pages say what the rules do, and leave no line of the guides without an answer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from benchmarks.nginx import advice, kept
from tests.nginx_pages import pages, table

from gunicorn_autotune.nginx.rules import all_rules

DOCS = Path(__file__).parents[2] / "docs"
LINES = {
    "nginx tuning guide: common causes": 10,
    "nginx tuning guide: checklist": 11,
    "nginx tuning guide: what to look for, and its steps": 9,
    "Gunicorn tuning guide: common causes": 11,
    "Gunicorn tuning guide: checklist and debugging": 15,
    "Reverse proxy article": 8,
}
"""Section of docs/nginx.md -> lines of the guide that it answers."""


def sections() -> dict[str, list[tuple[str, str]]]:
    """Rows of the tables about the guides, by section."""
    parts = re.split(r"^### (.+)$", (DOCS / "nginx.md").read_text(), flags=re.MULTILINE)[1:]
    rows = {
        name: re.findall(r"^\| (.+?) \| (.+?) \|$", text, re.MULTILINE)
        for name, text in zip(parts[::2], parts[1::2], strict=True)
    }
    return {name: [row for row in found if row[0] != "line"] for name, found in rows.items() if name in LINES}


def test_the_table_of_the_rules_is_fresh() -> None:
    """`make docs` was run after the last change of a rule."""
    assert (DOCS / "nginx-rules.md").read_text() == table()


@pytest.mark.parametrize(("rule", "page"), pages().items(), ids=pages())
def test_a_rules_page_has_its_reason_what_it_says_and_the_change_that_ends_it(rule: str, page: str) -> None:
    """Built from the docstring, the firing sample and the silent one; none of them is empty."""
    reason, firing, change = re.split(r"^## .*\n", page, flags=re.MULTILINE)
    told = re.findall(r"```\w+\n(.+?)```", firing, re.DOTALL)

    assert len(reason.split("\n\n")) > 3
    assert len(told) == 2 and rule in told[1]
    assert re.search(r"^[-+]", change, re.MULTILINE)


def test_every_line_of_the_guides_has_an_answer() -> None:
    """All lines of the causes and checklists are there, each with a rule or a page."""
    found = sections()

    assert {name: len(rows) for name, rows in found.items()} == LINES
    silent = [line for rows in found.values() for line, answer in rows if "](" not in answer and "`" not in answer]
    assert [line for line in silent if "the steps that" not in line] == []


def test_the_guides_answers_name_rules_that_exist() -> None:
    """No answer leads to a rule that was dropped."""
    named = {rule for rows in sections().values() for _, answer in rows for rule in re.findall(r"NGX\d{3}", answer)}

    assert named - {listed.rule.id for listed in all_rules()} == set()


def test_the_recommendation_has_the_figures_that_were_measured() -> None:
    """UNIX or TCP, kept or not: from benchmarks/results/nginx.json, not typed by hand."""
    text = advice.PAGE.read_text()

    assert advice.PART.search(text)
    assert text == advice.page(kept.read()["cells"], text)
