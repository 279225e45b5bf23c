"""The benchmarks' harness: goals and figures are told as they are, and the cheap cases run through with real parts."""

import json
import math
import os

import pytest
from benchmarks.micro import proc, record, scrape, tick
from benchmarks.micro.__main__ import CASES, main, run, save
from benchmarks.micro.closed_loop import with_clients
from benchmarks.micro.options import Options
from benchmarks.micro.report import MEETS, MISSES, CaseResult, Goal, Measured, figure, plain, row, table
from benchmarks.micro.step import OURS, Outcome, rows

QUICK = Options(quick=True)


def ignore(_line: str) -> None:
    """Progress nobody reads."""


@pytest.mark.parametrize(
    ("goal", "values", "verdict"),
    [
        (Goal(1.0), (0.9, 1.0, 9.0), MEETS),
        (Goal(1.0), (0.9, 1.1, 1.2), MISSES),
        (Goal(0.99, at_least=True), (0.5, 0.99, 1.2), MEETS),
        (Goal(0.99, at_least=True), (0.5, 0.98, 1.2), MISSES),
        (Goal(0, every=True), (0.0, 0.0, 1.0), MISSES),
        (Goal(1.5), (1.0, math.inf, math.inf), MISSES),
        (Goal(1.5), (), MISSES),
        (None, (7.0,), ""),
    ],
)
def test_the_median_is_judged_or_every_value_where_the_goal_says_so(goal, values, verdict):
    """A goal is met, missed or not there; nothing measured meets none."""
    assert Measured("a figure", "ms", values, goal).verdict == verdict


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (0.01234, "0.0123"), (9.87, "9.87"), (1234.5, "1,234"), (math.inf, "never")]
)
def test_figures_have_three_digits(value, text):
    """No more than the measurement is worth."""
    assert figure(value) == text


def test_a_row_shows_goal_range_verdict_and_yardstick():
    """All that belongs to a figure stands together."""
    lines = row(Measured("a scrape", "ms", (1.0, 2.0, 4.0), Goal(3), yardstick="somebody else: 87 ms"))

    assert lines[0].split() == ["a", "scrape,", "ms", "<=", "3", "1", "2", "4", "meets", "goal"]
    assert lines[1].strip() == "yardstick: somebody else: 87 ms"


def test_a_case_that_raises_is_not_measured_and_says_why(monkeypatch):
    """One case that cannot run does not take the others along."""

    def broken(_options, _tell):
        raise RuntimeError("no such thing here")

    monkeypatch.setitem(CASES, "tick", broken)

    result = run("tick", QUICK)

    assert (result.measured, result.skipped) == ((), "RuntimeError: no such thing here")
    assert "not measured: RuntimeError: no such thing here" in table({"tick": result}, {})


def test_json_holds_no_infinity():
    """`never` is null, not a word that strict JSON does not know."""
    result = CaseResult((Measured("back", "s", (1.0, math.inf, math.inf)),))

    (figures,) = json.loads(json.dumps(plain(result), allow_nan=False))["measured"]

    assert (figures["min"], figures["median"], figures["values"]) == (1.0, None, [1.0, None, None])


def test_a_run_of_one_case_keeps_the_others_results(tmp_path):
    """A quarter of an hour of figures is not lost to `--only`."""
    save({"tick": 1, "scrape": 1}, tmp_path / "micro.json")
    save({"tick": 2}, tmp_path / "micro.json")

    assert json.loads((tmp_path / "micro.json").read_text()) == {"tick": 2, "scrape": 1}


def test_an_unknown_case_is_refused(capsys):
    """The error names those there are."""
    with pytest.raises(SystemExit):
        main(["--only", "tock"])

    assert "tick" in capsys.readouterr().err


def test_only_our_server_has_goals_in_the_step():
    """The others are yardsticks."""
    outcome = Outcome([10], [0], [0.1], [0.2], [math.inf], [5], [50.0], [True])
    outcomes = {OURS: outcome, "static 5 sync": outcome}

    verdicts = {name: [one.verdict for one in rows(name, outcome, outcomes)] for name in outcomes}

    assert verdicts == {OURS: [MEETS, "", "", MISSES], "static 5 sync": ["", "", "", ""]}
    assert "generator was late" in rows(OURS, outcome, outcomes)[0].note


def test_recording_runs_with_the_workers_own_hooks():
    """Every contender records in the same run; prometheus_client in its multiprocess mode."""
    names = [one.what for one in record.measure(QUICK, ignore).measured if one.values]

    assert {record.RECORD_SYNC, record.RECORD_GTHREAD, record.PROMETHEUS, record.HOOKS_SOCKET} <= set(names)


def test_a_tick_runs_through_every_stage_on_real_processes(monkeypatch):
    """Sense, decide and publish are all timed, and no child is left."""
    monkeypatch.setattr(tick, "GOALS_MS", {8: 0.5})
    monkeypatch.setattr(tick, "WARM_TICKS", 20)

    before = proc.children(os.getpid())

    result = tick.measure(QUICK, ignore)

    assert proc.children(os.getpid()) == before
    assert all(one.values and "sense" in one.note and "publish" in one.note for one in result.measured)
    assert "function calls" in result.details["profile"]


def test_a_scrape_is_taken_from_the_real_exporter(monkeypatch):
    """Before and after recycles, and the yardstick with dead processes."""
    monkeypatch.setattr(scrape, "GOALS_MS", {3: 2.0})

    result = scrape.measure(QUICK, ignore)

    assert [len(one.values) for one in result.measured] == [3, 3, 2]


def test_clients_of_our_own_stand_in_for_wrk():
    """They count good and bad answers apart; a port where nobody listens gives bad ones only."""
    answered = with_clients(1, 0.05)

    assert (answered.requests, answered.bad > 0) == (0, True)
