"""What the calibration leaves behind: a section, two plots, the results; and what it sends."""

import json
import time

import pytest
from benchmarks.calibration.__main__ import main, seeds_of, taken
from benchmarks.calibration.apps.burn import app, burn
from benchmarks.calibration.cells import Plan
from benchmarks.calibration.page import section
from benchmarks.calibration.sender import Sender

RUN = {
    "late_share": 0.05, "mean_workers": 10.0, "slow_share": 0.06, "p95_response_seconds": 0.2, "throughput": 50.0,
    "actions": 3.0, "back_seconds": None, "others_cores": 0.0, "lateness_p99_seconds": 0.002,
}  # fmt: skip
SERVER = {"boot_cpu_seconds": 0.002, "boot_wait_seconds": 0.003, "overhead_cpu_seconds": 0.0009}
RESULTS = {
    "taken": "2026-01-02T03:04:05+00:00",
    "quiet_cores": 0.1,
    "note": "",
    "machine": {"cpu": "a processor", "python": "CPython 3.11", "gunicorn": "27.0.1"},
    "constants": {"cores": 2.0, "fork_seconds": 0.001, "generator_cpu_seconds": 0.0005,
                  "arbiter_cores": 0.007, "tick_seconds": 0.2512,
                  "servers": {"sync": SERVER}},
    "cells": {
        "io": {"title": "waiting", "real": [RUN, RUN | {"late_share": 0.07, "others_cores": 0.9}],
               "simulated": [RUN | {"mean_workers": 13.0}] * 2,
               "chance": [{"late_share": 0.01, "mean_workers": 11.0}, {"late_share": 0.08, "mean_workers": 14.0}]},
    },
}  # fmt: skip
LINE = {
    "seconds": 4.0, "step_at": 2.0, "offered": [[0, 0], [2, 10]],
    "ticks": [{"at": 2.2, "backlog": 1, "demand": None, "target": 2, "ready": 2, "reason": "hold steady"},
              {"at": 2.5, "backlog": 0, "demand": 3.0, "target": 4, "ready": 2, "reason": "grow backlog"}],
    "per_second": [{"second": 2, "arrivals": 10, "p95_seconds": 0.2},
                   {"second": 3, "arrivals": 9, "p95_seconds": None}],
}  # fmt: skip


def test_the_section_shows_means_spread_errors_and_misses():
    """Nothing is left out for missing its goal, and a figure that one run lacks is said to be lacking."""
    text = section(RESULTS)

    assert text.startswith("## The simulator against real runs\n")
    assert "0 of 2 meet the goal; not: io late share, io mean workers." in text
    assert "| `io` | 6.0 % (5.0 % to 7.0 %) | 5.0 % (1.0 % to 8.0 %) | -17%, within the real spread | missed |" in text
    assert "10.0 (10.0 to 10.0) | 13.0 (11.0 to 14.0) | +30% | missed |" in text
    assert "not in every run" in text
    assert "1 stayed disturbed" in text
    assert "calibration-step.svg" not in text


def test_the_section_embeds_the_plot_when_there_is_one():
    """Only the step cell makes it."""
    assert "(evidence/calibration-step.svg)" in section(RESULTS | {"timelines": {}})


def test_a_note_stands_before_the_figures():
    """A run that is worth little says so first."""
    text = section(RESULTS | {"note": "For debugging only."})

    assert text.index("**For debugging only.**") < text.index("meet the goal")
    assert "****" not in section(RESULTS)


def test_what_is_taken_keeps_other_cells(tmp_path):
    """A run of one cell does not drop the figures of the rest."""
    path = tmp_path / "calibration.json"
    taken(RESULTS, path)
    both = taken(RESULTS | {"cells": {"cpu": RESULTS["cells"]["io"]}}, path)

    assert {"io", "cpu"} == set(both["cells"]) == set(json.loads(path.read_text())["cells"])


def test_the_plots_are_the_same_for_the_same_results(tmp_path):
    """No date and no chance in them; both panels take a missing demand and a second without answers."""
    from benchmarks.calibration.plots import draw

    written = []
    for _ in range(2):
        draw({"timelines": {"real": LINE, "simulated": LINE}}, tmp_path)
        paths = (tmp_path / "evidence" / "calibration-step.svg", tmp_path / "how-it-decides-step.svg")
        written.append([path.read_bytes() for path in paths])

    assert written[0] == written[1]


@pytest.mark.parametrize(("text", "seeds"), [("1-3", [1, 2, 3]), ("2", [2])])
def test_seeds_are_a_range_or_one(text, seeds):
    """As the command line takes them."""
    assert seeds == seeds_of(text)


@pytest.mark.parametrize("text", ["", "3-1", "a", "1-b"])
def test_seeds_that_are_no_range_are_refused(text, capsys):
    """With the rule in the message."""
    with pytest.raises(SystemExit):
        seeds_of(text)
    assert "must be FIRST-LAST" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [(["--cells", "io,none"], "--cells = none, must be of"), (["--quick", "--take"], "must not go with --quick")],
)
def test_arguments_that_make_no_sense_are_refused_before_anything_runs(arguments, rule, capsys):
    """One line: the option, its value, the rule."""
    with pytest.raises(SystemExit):
        main(arguments)
    assert rule in capsys.readouterr().err


def test_the_app_uses_the_cpu_it_is_told():
    """At least so much of its own thread's CPU; how long that takes is the machine's business."""
    before = time.thread_time()
    burn(0.01)

    assert time.thread_time() - before >= 0.01


def test_the_app_answers_whatever_it_is_told():
    """Nothing in the query is no work."""
    statuses = []
    bodies = [b"".join(app({"QUERY_STRING": query}, lambda status, _: statuses.append(status)))
              for query in ("", "c=0.001&w=0.001")]  # fmt: skip

    assert ["200 OK"] * 2 == statuses
    assert [b"ok\n"] * 2 == bodies


def test_each_message_tells_its_own_work_and_when_it_left():
    """The stamp is what a proxy would send."""
    sender = Sender(8000, Plan((0.0, 1.0), ((0.02, 0.0), (0.0, 0.1))))

    assert sender.message_of(1).startswith(b"GET /?c=0.000000&w=0.100000 HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n")
    assert b"\r\nX-Request-Start: t=" in sender.message_of(0)
