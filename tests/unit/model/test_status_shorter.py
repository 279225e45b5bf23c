"""The status document gets shorter when it does not fit, and says what it lacks."""

from __future__ import annotations

import json

from gunicorn_autotune.model.status import FULLEST_LISTENERS, shorter

DOCUMENT = {
    "target": 3,
    "recent_decisions": [{"to": 3}] * 20,
    "listeners": [{"address": f"http://127.0.0.1:{port}", "backlog": port % 7} for port in range(5000)]
    + [{"address": "unix:/run/x.sock", "backlog": {"missing": "not read"}}],
    "refused_settings": ["refused " * 1000] * 3,
    "gunicorn": {"settings": {"bind": ["x" * 1000]}},
}


def test_each_form_is_shorter_and_the_last_is_small() -> None:
    """Whatever there is many of, and however long it is."""
    sizes = [len(json.dumps(form)) for form in shorter(DOCUMENT)]

    assert (sizes == sorted(sizes, reverse=True), sizes[-1] < 500) == (True, True)


def test_what_is_left_out_is_counted() -> None:
    """So that nobody takes what is missing for nothing."""
    lacks = [form.get("left_out") for form in shorter(DOCUMENT)]

    assert lacks == [
        None,
        {"recent_decisions": 20},
        {"recent_decisions": 20, "listeners": 5001 - FULLEST_LISTENERS},
        {"recent_decisions": 20, "listeners": 5001, "refused_settings": 3, "gunicorn": 1},
    ]


def test_listeners_where_most_wait_are_told() -> None:
    """The others are empty or unknown."""
    told = list(shorter(DOCUMENT))[2]["listeners"]

    assert [listener["backlog"] for listener in told] == [6] * FULLEST_LISTENERS
