"""docs/evidence.md is rendered from the results, and shows every plot there is."""

import json
import re

import pytest
from benchmarks.simulation import page, record
from benchmarks.simulation.__main__ import chosen, main, one_workload, parser
from benchmarks.simulation.jobs import play_all
from benchmarks.simulation.kept import Kept
from benchmarks.simulation.peers import CONTENDERS, OURS
from benchmarks.simulation.workload import Workload
from benchmarks.simulation.workloads import FRESH_EACH, FRESH_SEEDS, TUNING_SEEDS

from gunicorn_autotune.testing import Application, Machine, steps

TINY = Workload("1/0", Application(wait_seconds=0.1), steps((10, 20), (10, 40)), Machine(), seed=3, about="tiny")


def tiny_document() -> dict:
    """A document of one workload under everybody."""
    plays = play_all([TINY], list(CONTENDERS), jobs=1, kept=None)
    return json.loads(record.dump(record.document({"named": plays, "tuning": plays}, "a command", 60.0, 1)))


def test_the_evidence_page_is_fresh():
    """Its figures are the ones in benchmarks/results, not typed by hand."""
    assert page.PAGE.read_text() == page.page(record.load(), record.calibration())


def test_every_plot_of_the_page_is_there_and_small():
    """Under 150 KB each, and none that nobody sees."""
    shown = set(re.findall(r"\(evidence/([^)]+)\)", page.PAGE.read_text()))
    sizes = {path.name: path.stat().st_size for path in page.PLOTS.glob("*.svg")}

    assert shown == set(sizes)
    assert max(sizes.values()) < 150_000


def test_the_page_names_every_controller_and_both_oracles():
    """Nobody is left out of the tables."""
    text = page.page(tiny_document())

    assert [] == [one.title for one in CONTENDERS.values() if one.title not in text]


def test_method_and_limits_come_before_any_figure():
    """A reader knows what the numbers are before the numbers."""
    text = page.page(tiny_document())

    assert text.index("## Method") < text.index("## Limits") < text.index("## Goals")


def test_seeds_of_tuning_are_not_called_evidence():
    """The page says so above their tables."""
    assert "**Not evidence:**" in page.page(tiny_document())


def test_results_of_other_fields_are_refused():
    """A page from figures that mean something else would be wrong without a sign."""
    with pytest.raises(ValueError, match="run it again"):
        record.parts_of({"fields": ["late"], "parts": {}})


def test_the_same_results_give_the_same_plots():
    """No date, no chance in an SVG."""
    found = tiny_document()

    one, two = page.drawings(found), page.drawings(found)

    assert {"scenarios.svg", "pareto-tuning.svg", "excess-tuning.svg"} == set(one)
    assert one == two


def test_kept_runs_of_peers_are_not_repeated(tmp_path):
    """Ours runs again, the others' figures come from the file."""
    kept = Kept(tmp_path)
    play_all([TINY], [OURS, "apache"], jobs=1, kept=kept)
    found = Kept(tmp_path).get(TINY.name, TINY.seed)

    assert found is not None
    assert ["apache"] == list(found.rows)
    assert [OURS, "apache"] == list(play_all([TINY], [OURS, "apache"], jobs=1, kept=kept)[0].rows)


def test_without_take_nobody_looks_at_fresh_seeds():
    """The default is what one may tune on."""
    parts, taken = chosen(parser().parse_args([])), chosen(parser().parse_args(["--take"]))

    assert {"named", "tuning"} == set(parts)
    assert {"named", "fresh"} == set(taken)
    assert len(TUNING_SEEDS) * FRESH_EACH == len(parts["tuning"])
    assert len(FRESH_SEEDS) * FRESH_EACH == len(taken["fresh"])


def test_explain_tells_what_was_decided_and_why(capsys):
    """Both controllers beside each other, a line every ten seconds."""
    assert 0 == main(["--explain", "idle-night", "201", "--beside", "static-2k1"])
    lines = capsys.readouterr().out.splitlines()

    assert 6 + 90 == len(lines)
    assert "grow->" in "".join(lines)


def test_a_workload_is_named_by_seed_and_index_or_by_scenario():
    """What the tables print is what --explain takes."""
    assert "2/3" == one_workload("2", "3").name
    assert "io-step" == one_workload("io-step", "201").name
