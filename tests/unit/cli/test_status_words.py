"""The sentence of a decision fits the situation it is shown in."""

import re

import pytest

from gunicorn_autotune.cli.status_words import why_text
from gunicorn_autotune.model.decisions import PAIRS
from tests.unit.cli.pages import a_whole_document


def sentence(*, action="hold", reason="steady", to=3, facts=None, **changes):
    """What `status` says of this decision."""
    decision = {"action": action, "reason": reason, "to": to, "facts": {} if facts is None else facts}
    return why_text(a_whole_document(decision=decision, **changes))


@pytest.mark.parametrize(("action", "reason"), PAIRS)
@pytest.mark.parametrize("mode", ["active", "observe", "paused"])
def test_decision_is_one_sentence_of_at_most_one_line(mode, action, reason):
    """Capital, colon, full stop, 100 columns, no unfilled place."""
    text = sentence(action=action.value, reason=reason.value, to=12, mode=mode)

    assert re.fullmatch(r"[A-Z][a-z ]+ 12: [^{}.]+\.", text)
    assert len(text) <= 100


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "the load measured needs about this many"),
        ({"to": 2, "demand": 1.2}, "the load measured needs fewer, min_workers keeps this many"),
        ({"to": 4, "floor": 4}, "min_workers and max_workers allow no other count"),
    ],
)
def test_a_steady_count_says_what_keeps_it(changes, words):
    """The load, the lower bound, or both bounds: one worker by the user's wish is no finding about the load."""
    assert words in sentence(**changes)


@pytest.mark.parametrize(
    ("frozen", "words"),
    [("reload", "reload"), ("upgrade", "two masters"), ("shutdown", "shutting down"), ("winch", "SIGWINCH")],
)
def test_a_frozen_count_says_by_what(frozen, words):
    """WINCH is no reload."""
    assert words in sentence(reason="frozen", frozen=frozen)


@pytest.mark.parametrize(
    ("facts", "words"),
    [({"backlog": 0.0}, "no requests wait in the kernel's queue; "), ({}, "neither the requests nor a queue")],
)
def test_requests_that_are_not_seen_are_no_steady_count(facts, words):
    """The queue is told where it is known, and that the rest is not."""
    assert words in sentence(reason="missing", facts=facts, gunicorn={"kind": "unknown"})


def test_a_first_tick_says_yet():
    """A class that reports will be seen a moment later."""
    assert sentence(reason="missing") == "Holding at 3: the load cannot be told yet."


def test_growth_that_did_not_pay_names_the_limit_found():
    """Full cores are not something behind the workers."""
    held = {"reason": "no_gain", "bottleneck": "cpu"}

    assert sentence(**held) == "Holding at 3: more workers did not raise throughput: the cores are full."


def test_observe_mode_says_would():
    """Nothing grows while we only look on."""
    assert sentence(action="grow", reason="backlog", to=9, mode="observe").startswith("Would grow to 9: ")


def test_fallback_says_only_that_the_count_is_left():
    """The last decision is from before the failure."""
    assert sentence(action="grow", reason="backlog", to=9, mode="fallback") == "The count is left at 3."
