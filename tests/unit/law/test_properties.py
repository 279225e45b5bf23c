"""Whatever the snapshot: within bounds, finite, deterministic, one of the known pairs."""

import math
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from gunicorn_autotune.law import decide
from gunicorn_autotune.model.decisions import PAIRS, Action
from gunicorn_autotune.model.history import History
from gunicorn_autotune.model.readings import UNLIMITED, MemoryReading, Missing
from gunicorn_autotune.model.snapshot import WorkerState
from gunicorn_autotune.testing import a_host, a_policy, a_snapshot, a_worker

GONE = Missing("drawn")
counts = st.one_of(st.integers(0, 1000), st.sampled_from([0, 10**6, 10**30]))
seconds = st.one_of(st.floats(0, 1000), st.sampled_from([0.0, 1e-300, 1e12, 1.7e308, math.inf, math.nan]))
sizes = st.one_of(st.integers(0, 1 << 34), st.sampled_from([0, 1, 10**30]))


def perhaps(values):
    """A value or Missing."""
    return st.one_of(values, st.just(GONE))


hosts = st.builds(
    a_host,
    cores=perhaps(st.sampled_from([0.0, 0.1, 1.0, 2.0, 64.0, math.inf])),
    memory_limit_bytes=st.one_of(sizes, st.just(GONE), st.just(UNLIMITED)),
    memory_used_bytes=perhaps(sizes),
    pids_limit=st.one_of(st.integers(0, 5000), st.just(GONE), st.just(UNLIMITED)),
    pids_used=perhaps(st.integers(0, 5000)),
    files_limit=st.one_of(st.integers(0, 5000), st.just(GONE), st.just(UNLIMITED)),
    files_used=perhaps(st.integers(0, 5000)),
)
some = st.lists(
    st.builds(
        a_worker,
        st.integers(0, 9),
        state=st.sampled_from(list(WorkerState)),
        spawned_at=st.floats(-100, 100),
        in_flight=st.integers(0, 3),
        queued=st.integers(0, 3),
        rss_bytes=perhaps(sizes),
        memory=perhaps(st.builds(MemoryReading, sizes, sizes)),
    ),
    max_size=5,
)
snapshots = st.builds(
    a_snapshot,
    at=st.one_of(st.floats(0, 100), st.sampled_from([0.0, 1.0, 1.0, 1.000001, 1e6])),
    workers=some,
    backlog=perhaps(counts),
    backlog_limit=perhaps(st.integers(0, 4096)),
    busy_seconds=perhaps(seconds),
    started=counts,
    finished=counts,
    service_seconds=seconds,
    service_seconds_squared=seconds,
    cpu_seconds=perhaps(seconds),
    run_delay_seconds=perhaps(seconds),
    boot_cpu_seconds=seconds,
    boots=counts,
    queue_time_counts=st.tuples(*[st.integers(0, 9)] * 16),
    host=hosts,
    target=st.integers(0, 40),
    threads=st.sampled_from([1, 2, 8, 1000]),
    frozen=st.sampled_from([None, None, None, "reload"]),
    held_until=st.sampled_from([None, None, 50.0]),
    boot_backoff_until=st.sampled_from([None, None, 50.0]),
)
policies = st.builds(
    lambda low, more: a_policy(min_workers=low, max_workers=low + more, calm_seconds=5, scale_down_window_seconds=10),
    st.integers(1, 6),
    st.integers(0, 20),
)
stories = st.lists(snapshots, min_size=2, max_size=4)
QUICK = settings(max_examples=15, deadline=None)


def told(policy, story, in_order):
    """The decisions on `story`, its times sorted when `in_order`."""
    times = sorted(one.at for one in story)
    history, decisions = History(), []
    for at, snapshot in zip(times, story, strict=True):
        snapshot = replace(snapshot, at=at) if in_order else snapshot
        decision, history = decide(policy, history, snapshot)
        decisions.append((snapshot, decision))
    return decisions, history


@QUICK
@given(policies, stories, st.booleans())
def test_every_change_stays_within_the_bounds(policy, story, in_order):
    """A hold is the present count; growth and shrinking end between min and max, in their direction."""
    for snapshot, decision in told(policy, story, in_order)[0]:
        within = policy.min_workers <= decision.target <= policy.max_workers
        right = {
            Action.HOLD: decision.target == snapshot.target,
            Action.GROW: decision.target > snapshot.target and within,
            Action.SHRINK: decision.target < snapshot.target and within,
        }
        assert right[decision.action]


@QUICK
@given(policies, stories, st.booleans())
def test_no_figure_is_nan_or_infinite(policy, story, in_order):
    """Whatever the counters say, the log line and the metrics show numbers."""
    for _, decision in told(policy, story, in_order)[0]:
        demand = [] if isinstance(decision.demand, Missing) else [decision.demand]
        assert all(math.isfinite(figure) for figure in [*decision.facts.values(), *decision.caps.values(), *demand])


@QUICK
@given(policies, stories, st.booleans())
def test_every_answer_is_a_known_pair(policy, story, in_order):
    """Action and reason come together as decisions.PAIRS lists them."""
    assert all((d.action, d.reason) in PAIRS for _, d in told(policy, story, in_order)[0])


@QUICK
@given(policies, stories)
def test_the_same_story_gets_the_same_answers(policy, story):
    """No clock and no chance: told twice, decided twice the same, and remembered the same."""
    assert told(policy, story, True) == told(policy, story, True)


@QUICK
@given(policies, stories)
def test_a_load_that_cannot_be_read_leads_to_no_action(policy, story):
    """Busy time, backlog and memory missing, within the bounds: hold."""
    blind = [
        replace(
            one,
            target=min(max(one.target, policy.min_workers), policy.max_workers),
            workers=tuple(replace(worker, queued=0) for worker in one.workers),
            totals=replace(one.totals, busy_seconds=GONE),
            listeners=(replace(one.listeners[0], backlog=GONE),),
        )
        for one in story
    ]

    assert {Action.HOLD} == {d.action for _, d in told(policy, blind, True)[0]}


@QUICK
@given(policies, stories)
def test_limits_that_cannot_be_read_never_shrink(policy, story):
    """A host without a readable limit leaves LOAD_FELL and ABOVE_MAX as the only ways down."""
    nowhere = a_host(GONE, memory_limit_bytes=GONE, memory_used_bytes=GONE, pids_limit=GONE, pids_used=GONE)
    blind = [replace(one, host=nowhere) for one in story]
    down = {d.reason.value for _, d in told(policy, blind, True)[0] if d.action is Action.SHRINK}

    assert down <= {"load_fell", "above_max"}
