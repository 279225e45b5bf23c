"""What a snapshot lacks, and why."""

from dataclasses import replace

from gunicorn_autotune.model.readings import ListenerReading, Missing
from gunicorn_autotune.model.snapshot import WorkerState
from gunicorn_autotune.model.unread import by_reason, unread_of_host, unread_of_workers
from gunicorn_autotune.testing import a_host, a_snapshot, a_worker

DENIED = Missing("/proc/17/smaps_rollup: Permission denied")


def workers(*memories, state=WorkerState.IDLE):
    """Snapshot of one worker for each reading of memory."""
    return a_snapshot(0.0, workers=[a_worker(slot, state=state, memory=one) for slot, one in enumerate(memories)])


def test_limits_and_backlogs_are_named_with_their_reason():
    """What can be read is not in it."""
    listener = ListenerReading("unix:/run/g.sock", Missing("no netlink"), 2048)
    snapshot = replace(a_snapshot(0.0, host=a_host(memory_limit_bytes=Missing("no meminfo"))), listeners=(listener,))

    assert unread_of_host(snapshot) == {"memory limit": "no meminfo", "backlog of unix:/run/g.sock": "no netlink"}


def test_what_no_worker_has_is_named_without_its_pid():
    """The reason is the same for all, so it is told once."""
    assert unread_of_workers(workers(DENIED, DENIED))["memory"] == "/proc/PID/smaps_rollup: Permission denied"


def test_what_one_worker_has_is_not_missing():
    """The other one has just died."""
    assert "memory" not in unread_of_workers(workers(DENIED, a_worker(0, uss_bytes=1, pss_bytes=1).memory))


def test_what_was_not_read_yet_is_not_told():
    """It is the next one's turn."""
    assert "memory" not in unread_of_workers(workers(Missing("not read yet")))


def test_booting_workers_say_nothing():
    """They are not measured."""
    assert not unread_of_workers(workers(DENIED, state=WorkerState.BOOTING))


def test_one_reason_explains_several_names():
    """One line in the log."""
    assert by_reason({"a": "x", "b": "y", "c": "x"}) == {"x": ["a", "c"], "y": ["b"]}
