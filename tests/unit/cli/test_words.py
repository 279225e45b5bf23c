import pytest

from gunicorn_autotune.cli.words import CAPS, CAUSES, MODES, REASONS, VERBS, reason_text
from gunicorn_autotune.model.decisions import Action, CapName, Cause, Reason
from gunicorn_autotune.model.status import Mode


def test_every_reason_has_a_sentence_and_no_sentence_lacks_a_reason():
    """The table and the enum name the same reasons."""
    assert set(Reason) == set(REASONS)


@pytest.mark.parametrize(("enum", "words"), [(Action, VERBS), (CapName, CAPS), (Cause, CAUSES), (Mode, MODES)])
def test_every_word_of_the_document_is_known(enum, words):
    """Actions, limits and modes are spelled out too."""
    assert set(enum) == set(words)


def test_reason_of_a_newer_server_is_shown_as_its_word():
    """An old command must not fail on a new server."""
    assert reason_text("moon_phase") == "moon_phase"
