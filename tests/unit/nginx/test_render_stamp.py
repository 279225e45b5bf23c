"""A rendered file knows what it was made for, and whether somebody edited it."""

from __future__ import annotations

from typing import Any

import pytest

from gunicorn_autotune.nginx.site.gunicorn import SYNC, THREADED
from gunicorn_autotune.nginx.write.render import render
from gunicorn_autotune.nginx.write.stamp import Stamp, stale, stamp_of
from tests.rendering import FULL, a_gunicorn

FILE = "conf.d/shop-http.conf"


def stamp(name: str = FILE, kind: str = THREADED, **values: Any) -> Stamp:
    """Of a rendered file."""
    found = stamp_of(render(a_gunicorn(kind, **values), FULL)[name])
    assert found is not None
    return found


@pytest.mark.parametrize("name", [FILE, "shop/gzip.conf", "shop/tuning.conf", "README.md", "main.conf.txt"])
def test_a_rendered_file_is_recognised(name: str) -> None:
    """Configuration, Markdown and plain text alike."""
    found = stamp(name)

    assert (found.gunicorn, found.nginx, found.edited) == ("27.0.1", "1.22.1", False)


def test_the_pages_shown_to_visitors_tell_nothing() -> None:
    """No version and no path in what everybody may read."""
    assert stamp_of(render(a_gunicorn(), FULL)["shop/pages/50x.html"]) is None


def test_the_settings_are_read_back() -> None:
    """Names and values, also those with spaces."""
    values = stamp(bind=["unix:/run/my shop/g.sock"]).values

    assert (values["bind"], values["keepalive"]) == (["unix:/run/my shop/g.sock"], 10)


@pytest.mark.parametrize("change", [("4s", "9s"), ("}\n", "}\n# mine\n"), ("# idle", "# Idle")])
def test_an_edit_is_noticed(change: tuple[str, str]) -> None:
    """Any change below the header, comments too."""
    found = stamp_of(render(a_gunicorn(), FULL)[FILE].replace(*change, 1))

    assert found is not None
    assert found.edited


@pytest.mark.parametrize("text", ["", "server {}\n", "# inputs 0123456789ab, body 0123456789ab\n", "\n" * 40])
def test_somebody_elses_file_has_no_stamp(text: str) -> None:
    """A user's own file is never taken for ours."""
    assert stamp_of(text) is None


def test_a_setting_that_changed_makes_a_file_stale() -> None:
    """`generated for keepalive 2, running 10`."""
    assert stale(stamp(keepalive=2), a_gunicorn(keepalive=10)) == {"keepalive": (2, 10)}


def test_a_setting_that_the_file_does_not_follow_does_not() -> None:
    """timeout stands in tuning.conf, not in the upstream."""
    assert stale(stamp(timeout=30), a_gunicorn(timeout=90)) == {}


def test_a_setting_that_the_worker_class_ignores_does_not() -> None:
    """Sync workers keep no connection, whatever keepalive says."""
    assert stale(stamp(kind=SYNC, keepalive=2), a_gunicorn(SYNC, keepalive=10)) == {}


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [("26.2.0", "27.0.1", True), ("27.0.1", "27.0.2", False), ("23.0.0", "25.3.0", True), ("25.3.0", "26.2.0", False)],
)
def test_another_gunicorn_counts_where_it_keeps_its_connections_otherwise(
    before: str, after: str, changed: bool
) -> None:
    """gthread: up to 25.2, up to 27.0.0, and since."""
    found = stamp_of(render(a_gunicorn(version=before), FULL)[FILE])

    assert found is not None
    assert ("gunicorn" in stale(found, a_gunicorn(version=after))) == changed
