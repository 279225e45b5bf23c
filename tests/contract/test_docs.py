"""The docs say what the code does: generated pages are fresh, every word of the code has its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gunicorn_autotune.exporter.metrics_page import metrics_page
from gunicorn_autotune.model.decisions import PAIRS, Reason
from gunicorn_autotune.model.settings_page import settings_page

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("*/README.md")])


def test_the_settings_page_is_fresh() -> None:
    """`make docs` was run after the last change of a setting."""
    assert (ROOT / "docs/settings.md").read_text() == settings_page()


def test_the_metrics_page_is_fresh() -> None:
    """`make docs` was run after the last change of a metric."""
    assert (ROOT / "docs/metrics.md").read_text() == metrics_page()


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_explained(reason: Reason) -> None:
    """An operator who reads a reason in a log line finds it in how-it-decides.md."""
    assert f"`{reason.value}`" in (ROOT / "docs/how-it-decides.md").read_text()


def test_every_reason_occurs_in_a_pair() -> None:
    """No reason without an action: what cannot occur is not exported."""
    assert {reason for _, reason in PAIRS} == set(Reason)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """A relative link names a file that exists."""
    links = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", page.read_text())
    broken = [link for link in links if not (page.parent / link).exists()]

    assert broken == []


def test_every_page_is_reached_from_the_readme() -> None:
    """A page nobody links to is a page nobody reads."""
    linked = (ROOT / "README.md").read_text()
    lost = [page.name for page in (ROOT / "docs").glob("*.md") if f"docs/{page.name}" not in linked]

    assert lost == []


def test_every_test_has_a_docstring() -> None:
    """A test is a promise, and the promise is written out."""
    silent = []
    for path in (ROOT / "tests").rglob("test_*.py"):
        for match in re.finditer(r"^(?:async )?def (test_\w+)\([^)]*\)[^:]*:\n(\s+)(\S+)", path.read_text(), re.M):
            if not match.group(3).startswith(('"""', "r'''", 'r"""')):
                silent.append(f"{path.name}: {match.group(1)}")

    assert silent == []


SHIPPED = ("src", "docs", "benchmarks", "example_app", "nginx", "tests", ".ci", ".github")
TEXT = {".py", ".md", ".json", ".toml", ".conf", ".yml", ".html", ".css", ""}


def test_the_repo_speaks_of_the_project_alone() -> None:
    """No private path of a build machine in what we ship."""
    private = re.compile("/(" + "work|farm" + r")/(main|shared)|/ro" + "ot/")
    files = [path for folder in SHIPPED for path in (ROOT / folder).rglob("*") if path.is_file()]
    texts = [path for path in files if path.suffix in TEXT and "benchmarks/out" not in str(path)]
    found = [str(path.relative_to(ROOT)) for path in texts if private.search(path.read_text("utf-8", "replace"))]

    assert found == []


def test_the_cost_page_is_fresh() -> None:
    """Its figures are the ones in benchmarks/results, not typed by hand."""
    import json

    from benchmarks.micro import page

    assert page.PAGE.read_text() == page.page(json.loads(page.RESULTS.read_text()))


def test_the_reliability_page_is_fresh() -> None:
    """Its figures, and its picture, are the ones in benchmarks/results/faults.json."""
    from benchmarks.faults import kept, page

    document = kept.read()
    shown = {name: (page.PAGE.parent / name).read_text() for name in page.pictures(document)}

    assert page.PAGE.read_text() == page.page(document)
    assert shown == page.pictures(document)


def test_the_page_of_nginx_figures_is_fresh() -> None:
    """Its figures are the ones in benchmarks/results/nginx.json."""
    from benchmarks.nginx import kept, page

    assert page.PAGE.read_text() == page.page(kept.read())


def test_the_benchmarks_page_is_fresh() -> None:
    """Its figures are the ones in benchmarks/results/contest.json; before the first it says that there are none."""
    from benchmarks.contest import page

    assert page.PAGE.read_text() == page.page(page.load())


def test_every_plot_of_the_benchmarks_page_is_there_and_small() -> None:
    """Under 150 KB each, and none that nobody sees."""
    from benchmarks.contest import page

    shown = set(re.findall(r"\(benchmarks/([^)]+)\)", page.PAGE.read_text()))
    sizes = {path.name: path.stat().st_size for path in page.PLOTS.glob("*.svg")}

    assert shown == set(sizes)
    assert all(size < 150_000 for size in sizes.values())
