"""A running server's documents as ticks."""

import json

import pytest

from gunicorn_autotune.cli.plan_observe import observe
from gunicorn_autotune.cli.plan_sampling import policy_of, server_of, ticks_of
from gunicorn_autotune.cli.style import CommandError
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.readings import Missing
from tests.unit.cli.pages import a_whole_document


def a_worker_entry(slot, *, requests=0, busy_seconds=0.0, cpu_seconds=0.0, ready=True, in_flight=0):
    """One entry of `workers`."""
    return {
        "slot": slot, "pid": 100 + slot, "state": "idle", "ready": ready, "spawned_unix_seconds": 1000.0,
        "requests": requests, "busy_seconds": busy_seconds, "in_flight": in_flight, "queued": 0,
        "oldest_request_seconds": 0.0, "cpu_seconds": cpu_seconds, "rss_bytes": 60 << 20, "uss_bytes": 50 << 20,
        "pss_bytes": 52 << 20,
    }  # fmt: skip


def a_document(at, *workers):
    """/status.json at a monotonic time."""
    return a_whole_document(monotonic=at, time=5000.0 + at, workers=list(workers))


def test_counters_are_summed_over_slots():
    """From the first document on: what was served before belongs to no record."""
    documents = [
        a_document(0.0, a_worker_entry(0, requests=1000, busy_seconds=50.0), a_worker_entry(1, requests=7)),
        a_document(1.0, a_worker_entry(0, requests=1030, busy_seconds=53.0), a_worker_entry(1, requests=9)),
    ]
    totals = ticks_of(documents)[-1].snapshot.totals

    assert (32, 3.0) == (totals.requests_finished, totals.busy_seconds)


def test_a_worker_that_leaves_takes_no_requests_along():
    """Its slot is missing from the next document; what it served stays counted."""
    documents = [
        a_document(0.0, a_worker_entry(0), a_worker_entry(1)),
        a_document(1.0, a_worker_entry(0, requests=10), a_worker_entry(1, requests=10)),
        a_document(2.0, a_worker_entry(0, requests=20)),
    ]

    assert [0, 20, 30] == [tick.snapshot.totals.requests_finished for tick in ticks_of(documents)]


def test_the_import_of_a_new_worker_is_no_load():
    """Its CPU counts from when it is ready."""
    documents = [
        a_document(0.0, a_worker_entry(0, cpu_seconds=0.5, ready=False)),
        a_document(1.0, a_worker_entry(0, cpu_seconds=1.5)),
        a_document(2.0, a_worker_entry(0, cpu_seconds=1.75)),
    ]

    assert ticks_of(documents)[-1].snapshot.totals.cpu_seconds == 0.25


def test_documents_of_one_instant_count_once():
    """An arbiter that hangs publishes nothing new."""
    assert 1 == len(ticks_of([a_document(1.0), a_document(1.0)]))


def test_what_the_document_does_not_tell_is_missing():
    """Waits for a core, boots and the spread of service times: Missing, never 0."""
    documents = [a_document(float(n), a_worker_entry(0, requests=20 * n, busy_seconds=n / 2)) for n in range(31)]
    observed = observe(server_of(documents[-1]), policy_of(documents[-1]), ticks_of(documents))
    untold = (observed.cpu.delay_share, observed.crew.boot_cpu_seconds, observed.load.variability)

    assert all(isinstance(one, Missing) for one in untold)
    assert (600, pytest.approx(20.0)) == (observed.load.requests, observed.load.arrivals_per_second)


def test_a_class_that_reports_no_requests_cannot_be_planned_for():
    """One line says so."""
    entry = a_worker_entry(0) | {"busy_seconds": {"missing": "unreported"}, "requests": {"missing": "unreported"}}
    with pytest.raises(CommandError, match="this worker class does not report its requests"):
        observe({}, Policy(), ticks_of([a_document(0.0, entry), a_document(30.0, entry)]))


def test_a_setting_of_a_newer_server_is_left_out():
    """The others are taken."""
    document = json.loads(json.dumps(a_document(0.0)))
    document["policy"] |= {"colour": "blue", "max_workers": 7}

    assert 7 == policy_of(document).max_workers


def test_a_document_of_another_shape_is_refused_with_its_version():
    """A reason this command has never heard of."""
    document = a_document(0.0)
    document = document | {"version": 9, "decision": document["decision"] | {"reason": "boredom"}}
    with pytest.raises(CommandError, match=r"status document version 9 cannot be read .*boredom"):
        ticks_of([document])
