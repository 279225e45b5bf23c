"""Orders come first: freeze, operator, back-off, bounds."""

from dataclasses import replace

import pytest

from gunicorn_autotune.law import decide, start
from gunicorn_autotune.model.decisions import Action, Bottleneck, Reason
from gunicorn_autotune.model.history import History
from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.testing import a_policy, a_snapshot

POLICY = a_policy(max_workers=64)
CALM = a_snapshot(at=0.0, finished=100, service_seconds=10.0)
LOADED = a_snapshot(at=0.25, in_flight=2, backlog=30, busy_seconds=0.5, started=37, finished=105, service_seconds=10.5)


def answer(snapshot, policy=POLICY, before=CALM):
    """The decision on `snapshot`, the one before it being `before`."""
    return decide(policy, start(before), snapshot)[0]


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"frozen": "reload"}, Reason.FROZEN),
        ({"held_until": 100.0}, Reason.OPERATOR),
        ({"boot_backoff_until": 100.0}, Reason.BOOT_BACKOFF),
        ({"frozen": "upgrade", "held_until": 100.0, "boot_backoff_until": 100.0}, Reason.FROZEN),
    ],
)
def test_an_order_holds_even_under_pressure(order, reason):
    """However long the queue, the count stays and the reason names the order."""
    decision = answer(replace(LOADED, **order))

    assert (Action.HOLD, reason, 2) == (decision.action, decision.reason, decision.target)


def test_a_hold_that_is_over_holds_nothing():
    """held_until lies in the past."""
    assert Action.GROW is answer(replace(LOADED, held_until=0.2)).action


def test_demand_is_reported_during_a_hold():
    """The operator sees what the load would need."""
    assert answer(replace(LOADED, held_until=100.0)).demand > 10.0


def test_a_hold_goes_on_learning():
    """The history of a frozen snapshot has its mark."""
    _, history = decide(POLICY, start(CALM), replace(LOADED, frozen="reload"))

    assert LOADED.at == history.marks[-1].at


def test_an_operator_may_go_beyond_the_maximum():
    """During the hold even a count above max_workers is left alone."""
    assert Reason.OPERATOR is answer(a_snapshot(at=1.0, workers=70, held_until=9.0)).reason


def test_below_the_minimum_grows_at_once():
    """min_workers needs no load."""
    decision = answer(a_snapshot(at=1.0, workers=1), a_policy(min_workers=4, max_workers=8))

    assert (decision.action, decision.reason, decision.target) == (Action.GROW, Reason.BELOW_MIN, 4)


def test_below_the_minimum_waits_for_a_boot_backoff():
    """A worker that cannot boot is not tried again before the pause is over."""
    decision = answer(a_snapshot(at=1.0, workers=1, boot_backoff_until=5.0), a_policy(min_workers=4, max_workers=8))

    assert Reason.BOOT_BACKOFF is decision.reason


def test_equal_bounds_are_steady_under_any_load():
    """min == max is a choice, not a limit to complain about."""
    assert Reason.STEADY is answer(LOADED, a_policy(min_workers=2, max_workers=2)).reason


def test_the_first_snapshot_has_no_rates():
    """Without a second one nothing can be told: hold."""
    decision, _ = decide(POLICY, History(), LOADED)

    assert (decision.action, decision.reason) == (Action.HOLD, Reason.MISSING)


@pytest.mark.parametrize("seconds", [0.0, 0.001, -5.0, 61.0])
def test_an_absurd_interval_has_no_rates(seconds):
    """Time that stood still, went back or jumped ahead gives no action."""
    decision = answer(replace(LOADED, at=seconds))

    assert (decision.action, isinstance(decision.demand, Missing)) == (Action.HOLD, True)


def test_a_tiny_interval_is_not_lost():
    """A snapshot 1 ms after the last is skipped; the next one spans both."""
    _, history = decide(POLICY, start(CALM), replace(CALM, at=0.001))

    assert Action.GROW is decide(POLICY, history, LOADED)[0].action


def test_calm_is_steady():
    """A load that fits: nothing to do."""
    after = a_snapshot(at=1.0, busy_seconds=0.1, started=1, finished=101, service_seconds=10.1)

    assert Reason.STEADY is answer(after).reason


def test_a_full_listener_is_the_bottleneck():
    """At 90 % of its backlog the kernel is about to refuse connections."""
    assert Bottleneck.LISTENER is answer(replace(a_full(LOADED), boot_backoff_until=9.0)).bottleneck


def a_full(snapshot):
    """`snapshot` with 30 of 32 places of the backlog taken."""
    listener = replace(snapshot.listeners[0], backlog_limit=32)
    return replace(snapshot, listeners=(listener,))
