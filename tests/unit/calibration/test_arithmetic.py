"""Figures and errors of the calibration: one arithmetic for real and simulated runs, and a goal told as it is."""

import math

import pytest
from benchmarks.calibration.cells import CELLS, PAUSE, Cell, plan, shortened
from benchmarks.calibration.compare import compared
from benchmarks.calibration.observed import Observed, figures, first_look_seconds, mean_workers, slow_share
from benchmarks.calibration.others import machine_seconds, process_seconds
from benchmarks.calibration.runner import QUIET_CORES, TRIES, plain, quiet_run
from benchmarks.calibration.timeline import timeline
from benchmarks.openloop import Phase, Request

from gunicorn_autotune.model.decisions import Action, Decision, Reason
from gunicorn_autotune.model.flight import Tick
from gunicorn_autotune.testing import a_snapshot

CELL = Cell("short", "a short cell", (PAUSE, Phase(1, 2)), 0.0, 0.1)
COUNTS = (0, 0, 0, 0, 0, 0, 6, 1, 0, 1, 0, 0, 0, 0, 0, 0)
"""Six waited up to 0.1 s, two longer."""


def a_tick(at: float, workers: int, target: int | None = None) -> Tick:
    """A tick that saw so many workers, and answers `target`."""
    action = Action.HOLD if target is None else Action.GROW
    snapshot = a_snapshot(at, workers=workers, queue_time_counts=COUNTS, finished=8, service_seconds=0.8)
    return Tick(snapshot, Decision(action, Reason.BACKLOG, target or workers))


def a_run(*ticks: Tick, answers: tuple[Request, ...] = (), others_cores: float = 0.0) -> Observed:
    """A run that began at 10 on the clock of its ticks."""
    return Observed(CELL, 10.0, ticks, answers, (0.1,) * len(answers), others_cores)


def values(name: str, *given: float | None) -> list[dict[str, float | None]]:
    """One run for each value."""
    return [{name: value} for value in given]


@pytest.mark.parametrize(
    ("name", "real", "simulated", "error", "meets"),
    [
        ("mean_workers", (10.0, 12.0), (11.0, 13.0), 1 / 11, True),
        ("mean_workers", (10.0, 10.0), (12.0, 12.0), 0.2, False),
        ("late_share", (0.20, 0.20), (0.16, 0.16), -0.2, False),
        ("late_share", (0.00, 0.02), (0.012, 0.016), 0.004, True),
        ("late_share", (0.00, 0.02), (0.02, 0.02), 0.01, False),
        ("throughput", (50.0, 50.0), (10.0, 10.0), -0.8, None),
    ],
)
def test_an_error_is_relative_and_for_a_small_share_a_difference(name, real, simulated, error, meets):
    """15 % of the real mean; half a point where under two in a hundred are late; only two figures have a goal."""
    row = compared(name, values(name, *real), values(name, *simulated))

    assert row.error == pytest.approx(error)
    assert meets is row.meets


def test_a_figure_that_one_run_lacks_is_not_compared():
    """A p95 that never came back makes no mean."""
    row = compared("back_seconds", values("back_seconds", 1.0, None), values("back_seconds", 1.0, 2.0))

    assert (None, None, False) == (row.real, row.error, row.within_spread)


@pytest.mark.parametrize("name", list(CELLS))
def test_the_same_seed_gives_the_same_plan(name):
    """Real and simulated runs get one plan; another seed gives another; nothing comes in the pause."""
    drawn = plan(CELLS[name], 1)

    assert drawn == plan(CELLS[name], 1) != plan(CELLS[name], 2)
    assert PAUSE.seconds <= drawn.moments[0] <= drawn.moments[-1] <= CELLS[name].seconds
    assert len(drawn.moments) == len(drawn.work)


def test_a_shortened_cell_keeps_its_rates_and_its_pause():
    """--quick runs through every phase."""
    short = shortened(CELLS["step"], 3.0)

    assert [PAUSE, Phase(10, 3.0), Phase(150, 3.0)] == list(short.phases)
    assert 5.0 == short.step_at


def test_each_count_of_workers_holds_until_the_next_tick():
    """Two until 1 s, four until 3 s, six for the last second of four; what is after the load is not counted."""
    run = a_run(a_tick(9.0, 2), a_tick(11.0, 4), a_tick(13.0, 6), a_tick(20.0, 9))

    assert (2 * 1 + 4 * 2 + 6 * 1) / 4 == mean_workers(run)


def test_figures_are_those_of_the_histogram_and_of_the_answers():
    """Late by the server's own queue times; slow beyond the request's own 0.1 s; a failure is slow."""
    answers = (
        Request(2.1, 0.0, 0.15, 200),
        Request(2.5, 0.0, 0.35, 200),
        Request(3.0, 0.0, 0.10, 200),
        Request(3.9, 0.0, 30.0, None, "timeout"),
    )
    found = figures(a_run(a_tick(10.5, 2), a_tick(12.3, 2, target=5), a_tick(13.0, 5), answers=answers))

    assert (0.25, 0.5, 1, 1) == (found["late_share"], found["slow_share"], found["failed"], found["actions"])
    assert (0.75, 5, 0.35) == (found["throughput"], found["most_workers"], found["p95_response_seconds"])
    assert math.isinf(found["back_seconds"])
    assert plain(found)["back_seconds"] is None


def test_the_first_look_is_told_from_the_last_change_of_the_load():
    """What the simulator is given so that its ticks fall alike."""
    run = a_run(a_tick(11.9, 2), a_tick(12.2, 2), a_tick(12.5, 2), answers=(Request(2.1, 0.0, 0.1, 200),))

    assert first_look_seconds(run) == pytest.approx(0.2)
    assert 0.0 == slow_share(run)


def test_a_timeline_holds_the_ticks_of_the_load_and_every_second():
    """What the plots are drawn from."""
    lines = timeline(a_run(a_tick(9.0, 2), a_tick(12.2, 2, target=5), answers=(Request(2.1, 0.0, 0.1, 200),)))

    assert [[0, 0], [2, 1]] == lines["offered"]
    assert [(2.2, 5, 2, None)] == [(row["at"], row["target"], row["ready"], row["demand"]) for row in lines["ticks"]]
    assert [{"second": 2, "arrivals": 1, "p95_seconds": 0.1}] == lines["per_second"]


@pytest.mark.parametrize(
    ("disturbed", "tries", "kept"), [((0.0,), 1, 0.0), ((0.9, 0.01), 2, 0.01), ((0.9, 0.5, 0.7), TRIES, 0.5)]
)
def test_a_disturbed_run_is_made_again_and_the_quietest_kept(disturbed, tries, kept):
    """The first one left alone is enough."""
    left, told = list(disturbed), []

    def run(_cell: Cell, _seed: int) -> Observed:
        return a_run(others_cores=left.pop(0))

    assert kept == quiet_run(CELL, 1, told.append, 0.0, run).others_cores
    assert tries == len(disturbed) - len(left)
    assert sum(cores > QUIET_CORES for cores in disturbed) == len(told)


def test_cpu_of_others_is_read_past_a_name_with_brackets():
    """/proc/PID/stat puts the name in brackets, whatever it holds; idle and disk waits of /proc/stat are no use."""
    numbers = " ".join(str(number) for number in range(3, 53))

    assert process_seconds(f"7 (a ) b) S {numbers}") * 100 == pytest.approx(sum((13, 14, 15, 16)))
    assert machine_seconds("cpu  100 20 30 9000 8000 4 5 1 0 0\ncpu0 1 1") == pytest.approx(1.6)
