"""What the fault benchmark keeps and shows: parts merged, goals judged, misses said."""

import copy
import json

import pytest
from benchmarks.faults import kept
from benchmarks.faults.__main__ import main
from benchmarks.faults.page import page, pictures, write
from benchmarks.faults.report import report
from benchmarks.faults.soak import RECORD_BYTES, SERIES
from benchmarks.faults.suite import by_file

ABOUT = {
    "taken": "2026-01-02T03:04:05+00:00", "took_seconds": 90.0, "load_averages": [0.1, 0.9], "note": "",
    "command": "python -m benchmarks.faults --cells leak",
    "machine": {"cores": "2", "cpu": "a processor", "python": "CPython 3.11", "gunicorn": "27.0.1"},
}  # fmt: skip
RUN = {
    "title": "a server", "requests": 18000, "posts": 0, "failed": 0, "failed_by_kind": {}, "failed_posts": 0,
    "examples": [], "send_again": 0, "reached_twice": 0, "p50_seconds": 0.021, "p99_seconds": 0.03, "max_seconds": 0.05,
    "lateness_p99_seconds": 0.001, "exits": {"recycle_memory": 7, "scale_down": 1}, "recycles": 7, "resizes": {},
    "lowest_ready": 3, "mean_ready": 3.5, "killed_by_log": 0, "arbiter_exit_code": None, "oom_kills": 0,
    "peak_working_set_bytes": 260 << 20, "timeline": [[0, 40.0, 3], [1, None, None], [2, 44.0, 4]],
}  # fmt: skip
BAD = RUN | {
    "failed": 2, "failed_by_kind": {"reset": 2}, "oom_kills": 3, "exits": None, "recycles": None, "lowest_ready": 1,
    "examples": [{"at_seconds": 4.5, "method": "POST", "kind": "reset", "after_seconds": 0.1, "reached_the_app": True}],
}  # fmt: skip
LEAK = ABOUT | {
    "limit_bytes": 300 << 20, "requests_per_second": 60.0, "seconds_a_run": 300.0,
    "runs": {"ours": RUN, "static": BAD, "max_requests": RUN, "leak_free": RUN},
}  # fmt: skip
RECYCLE = ABOUT | {
    "runs": {
        "sync": {"title": "sync", "ours": RUN | {"requests": 100_000}, "native": BAD},
        "sync_nginx": {"title": "sync, nginx", "ours": RUN, "native": {"not_run": "nginx is | not\ninstalled"}},
    }
}
GROWTH = {"first": 10, "last": 11, "most": 12, "mean": 11, "per_hour": 0.1, "error_per_hour": 0.2, "flat": True}
SOAK = ABOUT | RUN | {
    "seconds": 1800.0, "reloads": 2, "scrapes": 300, "failed_scrapes": [],
    "growth": dict.fromkeys(SERIES, GROWTH),
}  # fmt: skip
FILE = {"passed": 2, "not_passed": 0, "skipped": 0, "requests": 22, "failed": 0, "names": [], "examples": []}
SUITE = ABOUT | {"files": {"test_one": FILE, "test_two": FILE}}


def a_document(**parts):
    """Each part on one Gunicorn."""
    return {"cells": {cell: {"27.0.1": copy.deepcopy(part)} for cell, part in parts.items()}}


def goal_line(text, what):
    """The line of the table of goals that speaks of `what`."""
    return next(line for line in text.splitlines() if line.startswith(f"| {what}"))


def test_the_page_says_met_with_the_yardstick_beside_it():
    """Everything that ran has its table."""
    text = page(a_document(leak=LEAK, recycle=RECYCLE, suite=SUITE, soak=SOAK))

    assert "| 0 | 0 | met | static 3; max_requests 0 |" in goal_line(text, "leak: OOM kills")
    assert "| 1.00 | met |" in goal_line(text, "leak: p99")
    assert "| 0 of 118,000 in 14 recycles | met | 2 of 18,000" in goal_line(text, "recycles: requests failed")
    assert "| 0 of 44 | met |" in goal_line(text, "fault suite: requests")
    assert "| met |" in goal_line(text, "soak, 30 min")
    assert "2 reset; first a POST at 4.5 s: reset, had reached the app" in text
    assert "| not run: nginx is / not | - |" in text


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"oom_kills": 1}, "leak: OOM kills"),
        ({"failed": 1, "examples": BAD["examples"]}, "leak: requests failed"),
        ({"p99_seconds": 0.0361}, "leak: p99"),
    ],
)
def test_a_miss_is_said_plainly(change, what):
    """In bold, in the table a reader in a hurry sees."""
    runs = LEAK["runs"] | {"ours": RUN | change}

    assert "**missed**" in goal_line(page(a_document(leak=LEAK | {"runs": runs})), what)


def test_too_few_requests_do_not_meet_the_goal_of_recycles():
    """0 of 18,000 is less than was promised; one that failed is one too many."""
    runs = {"sync": RECYCLE["runs"]["sync"] | {"ours": RUN}}

    assert "| too few requests |" in goal_line(page(a_document(recycle=RECYCLE | {"runs": runs})), "recycles")


def test_a_server_that_could_not_run_is_neither_met_nor_missed():
    """Unless another one has lost requests already."""
    lacking = {"title": "gthread", "ours": {"not_run": "no nginx"}, "native": RUN}
    runs = RECYCLE["runs"] | {"gthread": lacking}
    worse = runs | {"sync": RECYCLE["runs"]["sync"] | {"ours": BAD}}

    assert "| not all measured |" in goal_line(page(a_document(recycle=RECYCLE | {"runs": runs})), "recycles")
    assert "(1 of 3 servers not run)" in page(a_document(recycle=RECYCLE | {"runs": runs}))
    assert "**missed**" in goal_line(page(a_document(recycle=RECYCLE | {"runs": worse})), "recycles")


def test_what_nobody_could_count_is_not_measured():
    """No figure is not zero."""
    runs = LEAK["runs"] | {"ours": RUN | {"oom_kills": None, "p99_seconds": None}}
    text = page(a_document(leak=LEAK | {"runs": runs}))

    assert "| - | not measured |" in goal_line(text, "leak: OOM kills")
    assert "| - | not measured |" in goal_line(text, "leak: p99")


def test_what_grows_in_the_soak_is_named():
    """One that cannot be seen keeps the goal from being met."""
    growing = SOAK["growth"] | {"exporter_fds": GROWTH | {"flat": False}}
    unseen = SOAK["growth"] | {"exporter_fds": None}
    falling = SOAK["growth"] | {"exporter_fds": GROWTH | {"flat": False, "per_hour": -1.0}}

    def line(growth):
        return goal_line(page(a_document(soak=SOAK | {"growth": growth})), "soak, 30")

    full = SOAK["growth"] | {"flight_record_bytes": GROWTH | {"flat": False, "most": RECORD_BYTES}}
    over = SOAK["growth"] | {"flight_record_bytes": GROWTH | {"most": RECORD_BYTES + 1}}

    assert "grows: exporter, open files | **missed**" in line(growing)
    assert ("| met |" in line(full), "**missed**" in line(over)) == (True, True)
    assert "not measured" in line(unseen)
    assert "| met |" in line(falling)


def test_a_late_generator_is_told_beside_its_figures():
    """Its times are no measure."""
    runs = LEAK["runs"] | {"ours": RUN | {"title": "ours", "lateness_p99_seconds": 0.08}}

    assert "the generator was over 50 ms late (p99), so these times are no measure: ours" in page(
        a_document(leak=LEAK | {"runs": runs})
    )


def test_a_cell_that_did_not_run_says_why():
    """On the page, in the goals and in the terminal."""
    document = a_document(leak=ABOUT | {"not_run": "no memory cgroup"})

    assert "Not run: no memory cgroup." in page(document)
    assert "leak: not run: no memory cgroup" in report(document)
    assert "Not run yet." in page({"cells": {}})
    assert pictures(document) == {}


def test_older_gunicorns_have_tables_of_their_own():
    """The goals are judged on the newest, by number and not by letter."""
    document = a_document(recycle=RECYCLE)
    document["cells"]["recycle"] |= {"9.0.0": RECYCLE, "23.0.0": RECYCLE, "28.0": ABOUT | {"not_run": "why"}}
    text = page(document)

    assert text.index("The same on Gunicorn 23.0.0") < text.index("The same on Gunicorn 9.0.0")
    assert "The same on Gunicorn 27.0.1" not in text
    assert kept.newest(document["cells"]["recycle"]) == "27.0.1"


def test_a_part_takes_the_place_of_its_own_cell_and_version_only():
    """An interrupted or later run keeps what others took."""
    document = kept.joined({}, "leak", "27.0.1", {"a": 1})
    document = kept.joined(document, "leak", "23.0.0", {"a": 2})
    document = kept.joined(document, "soak", "27.0.1", {"a": 3})
    document = kept.joined(document, "leak", "27.0.1", {"a": 4})

    assert document["cells"] == {"leak": {"27.0.1": {"a": 4}, "23.0.0": {"a": 2}}, "soak": {"27.0.1": {"a": 3}}}


def test_a_cell_that_could_not_run_does_not_take_the_place_of_figures():
    """But stands where there were none, until there are."""
    figures = kept.joined({}, "leak", "27.0.1", {"a": 1})
    nothing = kept.joined({}, "leak", "27.0.1", {"not_run": "why"})

    assert kept.joined(figures, "leak", "27.0.1", {"not_run": "why"}) == figures
    assert kept.joined(nothing, "leak", "27.0.1", {"a": 1}) == figures


@pytest.mark.parametrize("text", ["", "{", "[1]", None])
def test_results_that_cannot_be_read_are_none(text, tmp_path):
    """A first run, or a file somebody broke."""
    path = tmp_path / "faults.json"
    if text is not None:
        path.write_text(text)

    assert kept.read(path) == {"cells": {}}


def test_what_is_written_is_read_and_rendered_again(tmp_path):
    """The page and the picture are the same for the same results."""
    document = a_document(leak=LEAK, recycle=RECYCLE)
    kept.write(document, tmp_path / "faults.json")
    write(tmp_path, tmp_path / "faults.json")

    assert json.loads(json.dumps(document)) == kept.read(tmp_path / "faults.json")
    assert (tmp_path / "reliability.md").read_text() == page(document)
    assert (tmp_path / "reliability-leak.svg").read_text() == pictures(document)["reliability-leak.svg"]
    assert not (tmp_path / "faults.new").exists()


def test_the_terminal_shows_the_lowest_ready_of_both():
    """A row of its own, ours beside Gunicorn's."""
    text = report(a_document(leak=LEAK, recycle=RECYCLE))

    assert "Lowest number of ready workers" in text
    assert any(line.split() == ["sync", "3", "1"] for line in text.splitlines())
    assert "**" not in text


def test_the_suite_is_counted_by_file():
    """Tests from the XML, requests from the steady loads; an error counts as not passed."""
    junit = (
        '<testsuites><testsuite><testcase classname="tests.faults.test_a" name="one"/>'
        '<testcase classname="tests.faults.test_a" name="two"><error/></testcase>'
        '<testcase classname="tests.faults.test_b" name="three"><skipped/></testcase></testsuite></testsuites>'
    )
    figures = '{"test": "tests/faults/test_b.py::three[a b]", "requests": 20, "failed": ["1.0 s: reset"]}\n' * 2

    found = by_file(junit, figures)

    assert (found["test_a"]["passed"], found["test_a"]["not_passed"], found["test_a"]["names"]) == (1, 1, ["two"])
    assert (found["test_b"]["skipped"], found["test_b"]["requests"], found["test_b"]["failed"]) == (1, 40, 2)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--cells", "leak,sink"], "--cells = sink, must be of leak, recycle, suite, soak"),
        (["--cells", ""], "--cells = , must be of"),
        (["--seconds", "1"], "--seconds = 1, must be from"),
        (["--seconds", "nan"], "--seconds = nan, must be from"),
        (["--recycles", "0"], "--recycles = 0, must be from"),
        (["--minutes", "1e9"], "--minutes = 1e+09, must be from"),
        (["--quick", "--take"], "must not go with --quick"),
        (["--gunicorn", "/no/such/python"], "--gunicorn = /no/such/python, must be a Python"),
        (["--gunicorn", "/bin/true"], "must be a Python with gunicorn and gunicorn-autotune"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_before_anything_runs(arguments, rule, capsys):
    """One line: the option, its value, the rule."""
    with pytest.raises(SystemExit):
        main(arguments)
    assert rule in capsys.readouterr().err
