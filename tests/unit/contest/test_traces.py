"""Locust's users follow the phases of the workloads, and are as many as Little's law says."""

import pytest
from benchmarks.contest.traces import MAX_USERS, Trace, varies, varying, workload_of
from benchmarks.contest.workloads import WORKLOADS, Part, Workload
from benchmarks.openloop import Phase, RefusedError

STEP = Workload("step", "", (Phase(10, 3), Phase(150, 9)), (Part(1, 0.0, 0.1),), per_core=True)


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_users_follow_the_phases(name: str) -> None:
    """In the middle of each phase there are the users that its rate needs."""
    trace = Trace(WORKLOADS[name])
    middles = [sum(one.seconds for one in trace.phases[:i]) + p.seconds / 2 for i, p in enumerate(trace.phases)]
    ticks = [trace.tick(at) for at in middles]

    assert [tick and tick[0] for tick in ticks] == [trace.users(phase.rate) for phase in trace.phases]


@pytest.mark.parametrize(("at", "users"), [(0.0, 11), (2.999, 11), (3.0, 165), (11.999, 165)])
def test_a_phase_ends_where_the_next_begins(at: float, users: int) -> None:
    """The step comes at its second, not around it."""
    tick = Trace(STEP).tick(at)

    assert tick is not None
    assert tick[0] == users


def test_the_trace_ends() -> None:
    """At the end of the last phase Locust is told to stop."""
    assert Trace(STEP).tick(12.0) is None


def test_all_users_of_a_phase_come_within_a_second() -> None:
    """The spawn rate is at least the whole step's."""
    assert Trace(STEP).tick(3.0) == (165, 165.0)


@pytest.mark.parametrize(
    ("think", "cores", "users"),
    [(1.0, 1, 165), (0.1, 1, 30), (4.9, 1, 750), (1.0, 2, 330)],
)
def test_users_are_rate_times_answer_and_thinking(think: float, cores: int, users: int) -> None:
    """Little's law at 150 requests/s (for each core) of 0.1 s."""
    assert Trace(STEP, think_seconds=think, cores=cores).users_most == users


def test_parts_count_by_their_share() -> None:
    """The mean answer of 90 % short and 10 % long requests."""
    mixed = Workload("mixed", "", (Phase(60, 9),), (Part(9, 0.002, 0.02), Part(1, 0.01, 0.4)))

    assert Trace(mixed).service_seconds == pytest.approx(0.0608)


def test_a_peak_scales_the_whole_trace() -> None:
    """Half the peak is half of every phase."""
    assert Trace(STEP, peak=75).phases == (Phase(5, 3), Phase(75, 9))


def test_more_users_than_one_process_can_do_are_refused() -> None:
    """One line that names the trace, the count and the bound."""
    with pytest.raises(RefusedError, match=rf"trace = step, 110000 users, must be at most {MAX_USERS}"):
        Trace(STEP, peak=100_000)


def test_rising_to_a_constant_rate_is_not_varying() -> None:
    """Traces with a shape of their own are those whose load changes for longer than it takes to rise."""
    assert varying() == ["step", "flash", "import", "bursts", "pool", "day"]


@pytest.mark.parametrize(
    ("trace", "own", "played"), [("io", "step", "step"), ("mixed", None, "mixed"), ("step", None, "io")]
)
def test_a_shape_plays_its_own_workload_or_the_told_stationary_one(trace: str, own: str | None, played: str) -> None:
    """Picked in the browser, a shape keeps to its trace whatever the command line said."""
    assert workload_of(trace, own, short=False) == WORKLOADS[played]


def test_a_short_trace_is_cut() -> None:
    """`--short` plays what the benchmarks play with --quick."""
    assert workload_of("step", "step", short=True).seconds == 7


def test_what_varies_is_seen_in_a_shortened_workload_too() -> None:
    """Cutting phases does not turn a step into a constant load."""
    assert varies(workload_of("step", "step", short=True))
