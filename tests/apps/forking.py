"""An app whose work is done by processes that it forks, each of which counts with prometheus_client."""

import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor

from prometheus_client import Counter, Gauge

JOBS = Counter("shop_jobs", "Jobs done", ["kind"])
RUNNING = Gauge("shop_running", "Jobs running now", multiprocess_mode="livesum")


def job(kind):
    """Count one job; the process ends in the middle of it, as it were."""
    JOBS.labels(kind).inc()
    RUNNING.inc()


def by_process(kind, method, count):
    """One process for each job, a few at a time."""
    context = multiprocessing.get_context(method)
    for _ in range(count // 5):
        processes = [context.Process(target=job, args=(kind,)) for _ in range(5)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()


def by_pool(kind, count):
    """A pool of four."""
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("fork")) as pool:
        list(pool.map(job, [kind] * count))


def fork_one(kind):
    """os.fork, in whatever thread."""
    pid = os.fork()
    if not pid:
        job(kind)
        os._exit(0)
    os.waitpid(pid, 0)


def by_thread(kind, count):
    """Forks from threads."""
    for _ in range(count // 5):
        threads = [threading.Thread(target=fork_one, args=(kind,)) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def dirty(kind, count):
    """Gunicorn's own dirty workers (25.1 and later)."""
    from gunicorn.dirty import get_dirty_client

    for _ in range(count):
        get_dirty_client().execute("forking_dirty:Jobs", "count", kind)


WAYS = {"pool": by_pool, "thread": by_thread, "dirty": dirty}


def app(environ, start_response):
    """`/KIND/COUNT`: so many jobs of that kind."""
    kind, _, count = environ["PATH_INFO"].strip("/").partition("/")
    if kind in ("fork", "spawn", "forkserver"):
        by_process(kind, kind, int(count))
    elif kind in WAYS:
        WAYS[kind](kind, int(count))
    JOBS.labels("request").inc()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]
