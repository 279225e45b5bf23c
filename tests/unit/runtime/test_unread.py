"""The log has one line for each reason that lasts."""

from types import SimpleNamespace

import pytest

from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.runtime import unread
from gunicorn_autotune.testing import a_host, a_snapshot


@pytest.fixture
def site():
    """A server whose warnings are kept, and what autotune remembers of it."""
    lines = []
    server = SimpleNamespace(log=SimpleNamespace(warning=lines.append), lines=lines)
    return server, SimpleNamespace(unread={}, unread_since={}, unread_told=set())


def look(site, at, why=None):
    """One look, memory missing for `why`."""
    host = a_host() if why is None else a_host(memory_limit_bytes=Missing(why), memory_used_bytes=Missing(why))
    unread.tell(*site, a_snapshot(at, workers=0, host=host))
    return site[0].lines


def test_a_reason_that_lasts_is_told_once_with_all_that_it_explains(site):
    """Not at every look."""
    lines = [line for at in range(20) for line in look(site, float(at), "no meminfo")]

    assert set(lines) == {lines[0]}
    assert len(site[0].lines) == 1
    assert "memory limit, memory in use" in lines[0]


def test_what_is_missing_for_a_moment_is_not_told(site):
    """And its time begins anew when it comes back."""
    for at in range(20):
        look(site, float(at), "gone" if at % 3 else None)

    assert site[0].lines == []


def test_reasons_that_change_for_ever_do_not_fill_a_disk(site):
    """Fifty are told."""
    for number in range(70):
        look(site, 10.0 * number, f"reason {number}")
        look(site, 10.0 * number + 5.0, f"reason {number}")

    assert len(site[0].lines) == 50
