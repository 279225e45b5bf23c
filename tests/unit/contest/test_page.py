"""docs/benchmarks.md is rendered from the results, whatever part of them there is."""

import re
import xml.etree.ElementTree as ElementTree

import pytest
from benchmarks.contest import page, roles
from benchmarks.contest.contenders import ADAPTIVE
from benchmarks.contest.workloads import WORKLOADS
from tests.unit.contest.built import ORACLE_NAME, a_document, a_run, behind_nginx, by_locust


def section(text: str, title: str) -> str:
    """From this heading to the next of its level."""
    level = title.partition(" ")[0]
    return re.split(rf"^{level} ", text.partition(f"{title}\n")[2], maxsplit=1, flags=re.M)[0]


def test_method_and_limits_come_before_any_table():
    """A reader knows what the numbers are before the numbers."""
    text = page.page(a_document())

    assert text.index("## Method") < text.index("## Limits") < text.index("\n| ")


def test_before_the_first_results_the_page_says_so():
    """And it still tells the method."""
    text = page.page({})

    assert "**Not run yet.**" in text
    assert "## Method" in text


def test_every_workload_has_a_section():
    """Those that were not run too."""
    text = page.page(a_document(("io",)))

    assert [] == [name for name in WORKLOADS if f"### {name}\n" not in text]
    assert "Not run: no run in these results." in section(text, "### cpu")


def test_a_contender_that_did_not_run_is_named_with_its_reason():
    """Not left out silently."""
    assert "Passenger (not in this system's packages)" in section(page.page(a_document()), "### io")


def test_a_contender_that_could_not_start_on_a_workload_is_named_there():
    """The reason is kept for both together."""
    document = a_document(("io",), (ADAPTIVE,)) | {"not_run": {"uwsgi io": "it ended at once"}}

    assert "uWSGI busyness (it ended at once)" in section(page.page(document), "### io")


def test_an_oracle_that_was_not_sought_is_named():
    """Without a sweep nobody plays it."""
    document = a_document() | {"sweep": {}}

    assert "static oracle (no sweep)" in section(page.page(document), "### io")


@pytest.mark.parametrize("contender", [ADAPTIVE, ORACLE_NAME, "uwsgi"])
@pytest.mark.parametrize("seeds", [1, 2])
def test_any_part_of_the_results_makes_a_page(contender, seeds):
    """One contender, one or two seeds, one workload."""
    document = a_document(("step",), (contender,), seeds)

    assert "| 1 of 1 |" in page.page(document) or "| 2 of 2 |" in page.page(document)


def test_results_of_nothing_but_invalid_runs_make_a_page():
    """All are counted, none has a figure."""
    document = a_document(("io",))
    for run in document["runs"]:
        run |= {"valid": False, "why": "others used 0.40 cores"}
    total = len(document["runs"])

    assert f"of {total} runs, {total} are without a valid one." in section(page.page(document), "## Invalid runs")
    assert {} == page.drawings(document)


def test_spoilt_tries_are_counted_by_reason():
    """Reasons that differ by a number only are one, and a try that a later one replaced counts too."""
    document = a_document(("io",))
    for lateness in (17, 18):
        why = f"the generator was {lateness} ms late (p99)"
        document["spoilt"].append({"workload": "io", "contender": "granian", "front": "", "seed": 2, "why": why})
    text = section(page.page(document), "## Invalid runs")

    assert "2 spoilt tries; of 24 runs, none are without a valid one." in text
    assert "| io | granian | the generator was N ms late (p99) | 2 |" in text


def test_rivals_with_one_pair_are_shown_without_a_verdict():
    """Not judged is not left out."""
    document = a_document(("io",))
    document["runs"] = [run for run in document["runs"] if run["contender"] != "granian" or run["seed"] == 1]
    text = page.page(document)

    assert "| io | Granian |" in section(text, "### One pair only")
    assert "| io | Granian |" not in section(text, "## Where adaptive loses").partition("###")[0]


def test_a_static_count_shows_all_its_parts():
    """The oracle may be the rule of thumb."""
    document = a_document(("io",), (ADAPTIVE, "static-3")) | {"sweep": {"io": {"best": "static-3", "counts": [2]}}}

    assert "| static-3: static oracle, 2K + 1 |" in page.page(document)


def test_every_workload_stands_beside_the_oracle_with_its_interval():
    """In bold where it is over the goal."""
    table = section(page.page(a_document(("io", "step"))), "### Beside the static oracle")

    assert ["io", "step"] == re.findall(rf"^\| (\w+) \| {ORACLE_NAME} \| 3 \| 1\.\d\d x \| \*\*\+", table, re.M)


def test_a_loss_is_listed_with_both_figures():
    """As plainly as a win."""
    document = a_document(("io",), (ADAPTIVE, "uwsgi"))
    for run in document["runs"]:
        run["figures"]["p95_seconds"] = 0.3 if run["contender"] == ADAPTIVE else 0.1
    losses = section(page.page(document), "## Where adaptive loses")

    assert "| io | uWSGI busyness |" in losses
    assert "300 against 100" in losses


def test_nothing_judged_is_not_no_loss():
    """One pair each: silence would look like victory."""
    losses = section(page.page(a_document(("io",), seeds=1)), "## Where adaptive loses").partition("###")[0]

    assert "Nothing could be judged" in losses


def test_a_rival_with_one_run_is_named_in_the_answer():
    """As not judged."""
    document = a_document(("io",))
    document["runs"] = [run for run in document["runs"] if run["contender"] != "granian" or run["seed"] == 1]

    assert "Not judged, as they have one run a workload: Granian." in page.page(document)


def test_a_contender_of_nginx_alone_has_its_own_title():
    """It has no part in the direct tables."""
    document = a_document(("step",))
    document["runs"].append(a_run("step", "adaptive-gthread", 1, roles.UNIX))

    assert "| Gunicorn with autotune, gthread, 4 threads | UNIX socket |" in page.page(document)


def test_no_loss_is_said():
    """An empty list would look forgotten."""
    losses = section(page.page(a_document(("io",), (ADAPTIVE, "static-3"))), "## Where adaptive loses")

    assert "No measure of any workload is worse" in losses


def test_the_answer_counts_by_the_paired_interval():
    """Against 2K + 1 on the one workload that ran."""
    text = page.page(a_document(("io",), (ADAPTIVE, "static-3")))

    assert "beside **2K + 1** better on 1, tied on 0, worse on 0 of 1 workload" in text


def test_one_pair_is_not_judged():
    """No interval, no word."""
    assert "so nothing is judged" in page.page(a_document(("io",), seeds=1))


def test_a_figure_that_was_never_reached_is_words():
    """No number in its place."""
    document = a_document(("step",))
    roles.runs_of(document, "step", "uwsgi")[0]["figures"]["back_seconds"] = None

    assert "never in 1 of 3" in section(page.page(document), "### step")


def test_memory_that_nobody_could_read_is_left_open():
    """Null is not never there."""
    document = a_document(("io",))
    for run in document["runs"]:
        run["figures"] |= {"gb_seconds": None, "oom_kills": None}
    table = section(page.page(document), "### io").partition("Not run")[0]

    assert "never" not in table


def test_both_ways_behind_nginx_stand_beside_the_direct_one():
    """Time to capacity for each."""
    document = a_document(("step",))
    document["runs"] += behind_nginx()
    text = section(page.page(document), "## Behind nginx")

    assert ["direct", "UNIX socket", "TCP"] == re.findall(r"\*\*adaptive\*\* \| ([^|]+) \|", text)


def test_a_front_that_was_missing_is_named_with_its_reason():
    """In its own section, and not as a contender that did not run."""
    document = a_document(("step",)) | {"not_run": {"adaptive step unix": "nginx is not installed"}}
    text = page.page(document)

    assert "adaptive step unix (nginx is not installed)" in section(text, "## Behind nginx")
    assert "nginx is not installed" not in section(text, "### step")


def test_runs_behind_nginx_are_not_in_the_direct_tables():
    """Six runs of adaptive, three of them direct."""
    document = a_document(("step",))
    document["runs"] += behind_nginx(seeds=3)

    assert "| 3 of 3 |" in section(page.page(document), "### step")


def test_the_closed_loop_is_labelled():
    """It hides queueing, and that stands above its table."""
    text = section(page.page(a_document() | {"closed": [by_locust()]}), "## Closed loop, by Locust")

    assert text.index("hides queueing") < text.index("| io |")


def test_a_server_that_ended_is_told_of():
    """Its run counts, and the reader learns why it failed."""
    document = a_document(("leak",))
    document["runs"][0]["why"] = "the server ended with exit code 3"

    assert "- adaptive, seed 1: the server ended with exit code 3" in page.page(document)


def test_every_plot_of_the_page_is_drawn_and_small():
    """Under 150 KB each, well-formed, and none that nobody sees."""
    document = a_document(("step", "day"))
    drawn = page.drawings(document)

    assert set(re.findall(r"\(benchmarks/([^)]+)\)", page.page(document))) == set(drawn)
    assert max(map(len, drawn.values())) < 150_000
    assert all(ElementTree.fromstring(text).tag.endswith("svg") for text in drawn.values())


def test_runs_that_nothing_can_be_drawn_of_make_a_page():
    """A static count without a part, and nobody could read memory."""
    document = a_document(("step",), ("static-7",))
    for run in document["runs"]:
        run["figures"]["gb_seconds"] = None

    assert "| static-7 |" in page.page(document)
    assert {} == page.drawings(document)


def test_a_second_without_answers_is_drawn():
    """Its p95 is null."""
    document = a_document(("step",))
    for row in document["runs"][0]["series"]["per_second"]:
        row["p95_seconds"] = None

    assert "step.svg" in page.drawings(document)


def test_the_same_results_give_the_same_plots():
    """No date, no chance in an SVG."""
    document = a_document(("step",))

    assert page.drawings(document) == page.drawings(document)


def test_writing_removes_plots_that_the_page_no_longer_shows(tmp_path):
    """Nothing stale stays in docs."""
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    (folder / "old.svg").write_text("<svg/>")
    page.write(tmp_path / "benchmarks.md", folder, a_document(("step",), (ADAPTIVE,), 1))

    assert ["late-memory.svg", "step.svg"] == sorted(path.name for path in folder.iterdir())
