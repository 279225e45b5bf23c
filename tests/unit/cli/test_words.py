import re

import pytest

from gunicorn_autotune.cli.words import CAPS, CAUSES, MODES, REASONS, VERBS, decision_text, reason_text
from gunicorn_autotune.model.decisions import PAIRS, Action, CapName, Cause, Reason
from gunicorn_autotune.model.status import Mode


def test_every_reason_has_a_sentence_and_no_sentence_lacks_a_reason():
    """The table and the enum name the same reasons."""
    assert set(Reason) == set(REASONS)


@pytest.mark.parametrize(("enum", "words"), [(Action, VERBS), (CapName, CAPS), (Cause, CAUSES), (Mode, MODES)])
def test_every_word_of_the_document_is_known(enum, words):
    """Actions, limits and modes are spelled out too."""
    assert set(enum) == set(words)


@pytest.mark.parametrize(("action", "reason"), PAIRS)
def test_decision_is_one_sentence_of_at_most_one_line(action, reason):
    """Capital, colon, full stop, 100 columns, no unfilled place."""
    text = decision_text(action.value, reason.value, 12)

    assert re.fullmatch(r"[A-Z][a-z ]+ 12: [^{}.]+\.", text)
    assert len(text) <= 100


def test_reason_of_a_newer_server_is_shown_as_its_word():
    """An old command must not fail on a new server."""
    assert reason_text("moon_phase") == "moon_phase"
