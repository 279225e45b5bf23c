"""The depth of a gthread worker's inner queue is in its row whenever it may have changed."""

from __future__ import annotations

from types import SimpleNamespace

from gunicorn_autotune.runtime import worker as runtime_worker
from gunicorn_autotune.scoreboard import board, layout


def a_gthread_worker(waiting):
    """As far as the recorder looks: two threads, a pool whose queue holds `waiting`."""
    queue = SimpleNamespace(qsize=lambda: waiting[0])
    return SimpleNamespace(
        cfg=SimpleNamespace(threads=2), tpool=SimpleNamespace(_work_queue=queue), notify=lambda: None
    )


def test_the_thread_that_takes_the_last_queued_connection_says_so():
    """Until the next turn of the worker's loop, up to a second later, the law would see a queue that is gone."""
    waiting = [1]
    found = board.create(layout.shape_for(1))
    try:
        row = found.row(0)
        worker = a_gthread_worker(waiting)
        pen = runtime_worker._threaded(worker, row)
        worker.notify()
        seen = [row[layout.QUEUED]]
        waiting[0] = 0
        pen.begin(worker, None)
        seen.append(row[layout.QUEUED])
    finally:
        row.release()
        found.close()

    assert [1, 0] == seen
