"""The depth of a gthread worker's inner queue is in its row whenever it may have changed."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

from gunicorn_autotune.runtime import worker as runtime_worker
from gunicorn_autotune.runtime.doors import Doors
from gunicorn_autotune.scoreboard import board, layout


def a_gthread_worker(waiting):
    """As far as the recorder looks: two threads, a pool whose queue holds `waiting`."""
    queue = SimpleNamespace(qsize=lambda: waiting[0])
    return SimpleNamespace(
        cfg=SimpleNamespace(threads=2), tpool=SimpleNamespace(_work_queue=queue), notify=lambda: None, handle=None
    )


def test_the_thread_that_takes_the_last_queued_connection_says_so():
    """Until the next turn of the worker's loop, up to a second later, the law would see a queue that is gone."""
    waiting = [1]
    found = board.create(layout.shape_for(1))
    try:
        row = found.row(0)
        worker = a_gthread_worker(waiting)
        pen = runtime_worker._threaded(worker, Doors(None, Counter()), row)
        worker.notify()
        seen = [row[layout.QUEUED]]
        waiting[0] = 0
        pen.begin(worker, None)
        seen.append(row[layout.QUEUED])
    finally:
        row.release()
        found.close()

    assert [1, 0] == seen


def test_the_queue_of_a_pool_that_shows_none_is_unknown():
    """get_thread_pool may return any executor: what it holds back is not known, which is not zero."""
    found = board.create(layout.shape_for(1))
    try:
        row = found.row(0)
        worker = SimpleNamespace(cfg=SimpleNamespace(threads=2), tpool=object(), notify=None, handle=None)
        runtime_worker._threaded(worker, Doors(None, Counter()), row)
        seen = board.queued(row.tolist())
    finally:
        row.release()
        found.close()

    assert seen is None
