"""What the nginx benchmark shows: goals judged, misses said, short runs marked."""

import copy

import pytest
from benchmarks.nginx import advice
from benchmarks.nginx.__main__ import report
from benchmarks.nginx.page import page, write

ABOUT = {
    "taken": "2026-01-02T03:04:05+00:00", "took_seconds": 90.0, "load_averages": [0.1, 0.9], "note": "", "quick": False,
    "command": "python -m benchmarks.nginx --take",
    "machine": {"cores": "2", "cpu": "a processor", "python": "CPython 3.11", "gunicorn": "27.0.1", "nginx": "1.22.1"},
}  # fmt: skip
TIMES = {"p50_seconds": 0.004, "p99_seconds": 0.011, "lateness_p99_seconds": 0.001}
RACE = TIMES | {
    "title": "gthread, TCP, ours", "sites": 8, "seconds": 12.0, "pair": "4 s below 10 s", "posts": 50_000, "failed": 0,
    "failed_by_kind": {}, "nginx_errors": {},
    "traffic": {"bursts": {"posts": 40_000, "failed": 0}, "aimed": {"posts": 10_000, "failed": 0}},
}  # fmt: skip
GUIDE = RACE | {
    "title": "gthread, TCP, the guides' pair",
    "posts": 2400,
    "failed": 118,
    "nginx_errors": {"recv()": 118},
}
CHANGE = TIMES | {
    "title": "gthread, UNIX", "gunicorn": "27.0.1", "changes": 200, "requests": 9000, "posts": 4500, "failed": 0,
    "failed_posts": 0, "failed_by_kind": {}, "lowest_ready": 4, "nginx_errors": {},
}  # fmt: skip
OLDER = CHANGE | {
    "gunicorn": "23.0.0",
    "changes": 12,
    "requests": 900,
    "failed": 3,
    "failed_by_kind": {"status 502": 3},
}
SHARE = {
    "title": "gthread, UNIX", "pair": "4 s below 10 s", "ours": True, "seconds": [1.3, 1.5], "median_seconds": 1.4,
    "worst_seconds": 1.5, "longest_seconds": 15.0,
}  # fmt: skip
HIDDEN = SHARE | {"ours": False, "seconds": [None, 40.0], "median_seconds": None, "worst_seconds": None,
                  "longest_seconds": 75.0}  # fmt: skip
WAY = {count: {"per_second": 5000.0, "p99_seconds": 0.0063, "time_wait": 9000, "failed": 0} for count in ("8", "32")}
BETTER = {count: one | {"per_second": 7500.0, "time_wait": 10} for count, one in WAY.items()}
GAIN = {"gthread": {"tcp_off": WAY, "tcp_kept": BETTER, "unix_off": WAY, "unix_kept": BETTER},
        "asgi": {"not_run": "no such worker"}}  # fmt: skip
VERIFY = {
    "title": "ours; 4 threads", "pair": "4 s below 10 s", "growths": 4, "taken_back": 0, "misjudged": False,
    "verdict": "workers", "served": [300, 100], "ready": 2, "per_second": 1100.0,
}  # fmt: skip
PARTS = {
    "race": ABOUT | {"runs": {"guide": GUIDE, "gthread_tcp": RACE}},
    "scale": ABOUT | {"missing": ["22.0.0"], "runs": [CHANGE, OLDER]},
    "recycle": ABOUT | {"missing": [], "runs": [CHANGE]},
    "share": ABOUT | {"runs": [SHARE, HIDDEN]},
    "verify": ABOUT | {"runs": {"ours": VERIFY, "defaults": VERIFY | {"growths": 1, "per_second": 240.0}}},
    "gain": ABOUT | {"classes": GAIN},
    "retry": ABOUT | {"runs": {"default": {"title": "GET, kept", "ran": [5, 3]}, "off": {"title": "GET", "ran": [1]}}},
}


def a_page(**changed):
    """With those parts in the place of good ones."""
    return page({"cells": copy.deepcopy(PARTS) | changed})


def goal_line(text, what):
    """The line of the table of goals that speaks of `what`."""
    return next(line for line in text.splitlines() if line.startswith(f"| {what}"))


def test_the_page_says_met_with_the_other_figures_beside_it():
    """What the guides' pair, older Gunicorns and nginx's defaults give in the same traffic."""
    text = a_page()

    assert "| 0 of 50,000 | met | the guides' pair: 118 of 2,400 (4.9 %) |" in goal_line(text, "race")
    assert "| 0 of 9,000 in 200 | met | 23.0.0: 3 of 900 in 12 |" in goal_line(text, "steps")
    assert "| 0 of 9,000 in 200 | met | - |" in goal_line(text, "recycles")
    assert "| 1.5 s at worst (gthread, UNIX) | met | nginx's defaults: over 75 s" in goal_line(text, "share")
    assert "| 0 of 2 | met | - |" in goal_line(text, "verify")
    assert "| 1 | 1 | met | nginx's default: 5 |" in goal_line(text, "retry")


def test_the_tables_show_each_run():
    """Nothing is only summed up."""
    text = a_page()

    assert "| 118 | 4.9 % |" in text
    assert "| 23.0.0 | gthread, UNIX | 12 | 900 | 4,500 | 3 | 0 | 3 status 502 |" in text
    assert "| over 75 s | over 75 s | over 75 s, 40.0 s |" in text
    assert "| gthread | TCP, kept | 8 | 7,500 | +50% | 6.3 ms | 10 | 0 |" in text
    assert "| 4 | 0 | `workers` | no | 75.0 %, 25.0 % | 1,100 |" in text
    assert "asgi: not run: no such worker" in text
    assert "not installed here, so not measured: gunicorn 22.0.0" in text


@pytest.mark.parametrize(
    ("cell", "runs", "what"),
    [
        ("race", {"guide": GUIDE, "gthread_tcp": RACE | {"failed": 1}}, "race"),
        ("scale", [CHANGE | {"failed": 1}], "steps"),
        ("share", [SHARE | {"worst_seconds": 3.1}], "share"),
        ("share", [SHARE | {"worst_seconds": None}], "share"),
        ("verify", {"ours": VERIFY | {"misjudged": True}}, "verify"),
        ("retry", {"default": {"title": "", "ran": [5]}, "off": {"title": "", "ran": [1, 2]}}, "retry"),
    ],
)
def test_a_miss_is_said_plainly(cell, runs, what):
    """In bold, in the table a reader in a hurry sees."""
    assert "**missed**" in goal_line(a_page(**{cell: PARTS[cell] | {"runs": runs}}), what)


@pytest.mark.parametrize(
    ("cell", "runs", "what", "word"),
    [
        ("race", {"guide": GUIDE, "gthread_tcp": RACE | {"posts": 49_999}}, "race", "too few POSTs"),
        ("verify", {"ours": VERIFY | {"growths": 0}}, "verify", "too few growths"),
        ("scale", [CHANGE | {"changes": 199}], "steps", "too few steps"),
        (
            "scale",
            [CHANGE, {"title": "sync", "gunicorn": "27.0.1", "not_run": "no nginx"}],
            "steps",
            "not all measured",
        ),
    ],
)
def test_too_little_meets_no_goal(cell, runs, what, word):
    """0 of few is less than was promised."""
    assert f"| {word} |" in goal_line(a_page(**{cell: PARTS[cell] | {"runs": runs}}), what)


def test_a_short_run_is_marked_as_one():
    """Above all figures, by name."""
    text = a_page(share=PARTS["share"] | {"quick": True})

    assert "**Short run: share." in text.split("## Method")[0]
    assert "Short run" not in a_page()


def test_a_cell_that_did_not_run_says_why():
    """It meets nothing and misses nothing."""
    text = a_page(race=ABOUT | {"not_run": "nginx is not installed"})

    assert "| not run: nginx is not installed | not measured |" in goal_line(text, "race")
    assert "Not run: nginx is not installed." in text


def test_a_page_without_any_figures_is_a_page():
    """Written before the first run."""
    assert page({"cells": {}}).count("Not run yet.") == len(PARTS)


def test_the_terminal_gets_the_same_tables():
    """Without Markdown."""
    text = report({"cells": PARTS})

    assert "118 of 2,400 (4.9 %)" in text
    assert "**" not in text


def test_the_page_is_written_from_the_kept_figures(tmp_path):
    """From nothing too."""
    (tmp_path / "nginx.md").write_text(advice.BEGIN + "old\n" + advice.END)
    write(tmp_path / "none.json", tmp_path)

    assert (tmp_path / "nginx-measured.md").read_text() == page({"cells": {}})
    assert (tmp_path / "nginx.md").read_text() == f"{advice.BEGIN}Not measured yet.\n\n{advice.END}"
