"""Settings of Gunicorn that hurt later, and those that do not."""

import pytest

from gunicorn_autotune.cli import checks_sensors
from gunicorn_autotune.cli.finding import Level
from gunicorn_autotune.cli.running import Running
from tests.unit.cli.hosts import SYNC, a_gthread_probe, a_host, a_policy, a_probe, answer
from tests.unit.cli.pages import a_whole_document, answering, healthy_pages


@pytest.fixture(autouse=True)
def no_container(monkeypatch):
    """Wherever the tests run."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


def with_settings(**changes):
    """A sync server with these settings."""
    return a_host(probe=a_probe(settings=SYNC | changes))


@pytest.mark.parametrize("address", ["0.0.0.0:8000", "[::]:8000", ":8000", "192.0.2.7:8000", "http://0.0.0.0:8000"])
def test_a_sync_server_open_to_the_network_is_a_warning(address):
    """Each slow client would hold a worker."""
    finding = answer("bind", with_settings(bind=[address]))

    assert (finding.level, "each slow client holds a worker" in finding.finding) == (Level.WARN, True)


@pytest.mark.parametrize("address", ["127.0.0.1:8000", "[::1]:8000", "localhost:8000", "unix:/run/g.sock", "fd://3"])
def test_an_address_of_this_host_is_fine(address):
    """A proxy beside it takes the clients."""
    assert answer("bind", with_settings(bind=[address])).level is Level.OK


def test_a_container_must_be_open(monkeypatch):
    """No noise where there is no other way."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")

    assert answer("bind", with_settings(bind=["0.0.0.0:8000"])).level is Level.OK


@pytest.mark.parametrize(("threads", "level"), [(4, Level.OK), (32, Level.OK), (64, Level.WARN)])
def test_many_threads_in_a_process_are_a_warning(threads, level):
    """They share a GIL."""
    assert answer("threads", a_host(probe=a_gthread_probe(threads=threads))).level is level


@pytest.mark.parametrize(("seconds", "level"), [(30, Level.OK), (300, Level.OK), (600, Level.WARN), (0, Level.WARN)])
def test_a_worker_that_hangs_must_not_keep_its_place_for_long(seconds, level):
    """0 is for ever."""
    assert answer("timeout", with_settings(timeout=seconds)).level is level


@pytest.mark.parametrize(
    ("bind", "level", "part"),
    [
        (["127.0.0.1:8000"], Level.OK, "the exporter of this server (arbiter 4711)"),
        (["unix:/run/other.sock"], Level.WARN, "is held by arbiter 4711, 127.0.0.1:8000: this site would have no"),
    ],
)
def test_who_holds_the_metrics_address_is_said(bind, level, part):
    """This server, already running, or another site of the host."""
    pages = healthy_pages(a_whole_document()) | {"/": (200, "gunicorn-autotune exporter\n")}
    with answering(pages) as address:
        probe = a_probe(settings=SYNC | {"bind": bind}, policy=a_policy(metrics=address))
        finding = answer("metrics", a_host(probe=probe))

    assert (finding.level, part in finding.finding) == (level, True)


SITES = [
    Running(11, "blog", ("127.0.0.1:8001",), "http://127.0.0.1:9877/metrics"),
    Running(12, "shop", ("127.0.0.1:8000",), "http://127.0.0.1:9878/metrics"),
]


@pytest.mark.parametrize(
    ("sites", "free", "part"),
    [
        ([], {9877, 9878}, "127.0.0.1:9877 is free"),
        (SITES, {9879}, "http://127.0.0.1:9878/metrics: the exporter of this server (arbiter 12)"),
        (SITES[:1], {9879}, "9877 is held by arbiter 11, 127.0.0.1:8001; this site would take 127.0.0.1:9879"),
        ([], {9879}, "9877 is held by another program; this site would take 127.0.0.1:9879"),
        ([], set(), "this site would take a socket in its runtime folder"),
    ],
)
def test_doctor_says_where_this_site_has_its_metrics(sites, free, part, monkeypatch):
    """With the default, among other sites and programs; it is no trouble."""
    monkeypatch.setattr(checks_sensors, "running", lambda environment: sites)
    monkeypatch.setattr(checks_sensors, "_why_not_bound", lambda it: None if it.port in free else OSError())
    probe = a_probe(settings=SYNC | {"bind": ["127.0.0.1:8000"]}, policy=a_policy(metrics="auto"))
    finding = answer("metrics", a_host(probe=probe))

    assert (Level.OK, True) == (finding.level, part in finding.finding), finding
