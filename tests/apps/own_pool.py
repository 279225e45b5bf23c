"""Worker classes as other people write them: gthread with a thread pool of their own, and an app that crashes."""

import os
import sys
import threading
import time
from concurrent.futures import Executor, Future

from gunicorn.workers.gthread import ThreadWorker


class PlainPool(Executor):
    """A thread for each call, and no queue that anybody could look at."""

    def submit(self, call, /, *arguments, **named):
        """Run it in a thread of its own."""
        future = Future()

        def run():
            try:
                future.set_result(call(*arguments, **named))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        return future

    def shutdown(self, wait=True, *, cancel_futures=False):
        """Nothing to end."""


class OddQueue:
    """A queue whose size is no number."""

    def qsize(self):
        """Unknown."""
        raise NotImplementedError


class OddPool(PlainPool):
    """A pool whose queue does not tell its size, as multiprocessing's on macOS."""

    _work_queue = OddQueue()


class OwnPool(ThreadWorker):
    """`get_thread_pool` is a documented override."""

    def get_thread_pool(self):
        """A pool of ours."""
        return PlainPool()


class OwnOddPool(ThreadWorker):
    """The same with a queue that raises."""

    def get_thread_pool(self):
        """A pool of ours."""
        return OddPool()


class SlottedNotify(ThreadWorker):
    """A worker whose `notify` cannot be replaced."""

    def __setattr__(self, name, value):
        if name == "notify":
            raise AttributeError("notify is read-only")
        super().__setattr__(name, value)


def app(environ, start_response):
    """Answer at once."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]


def crash_soon():
    """Die a moment after the boot, as an app with a broken background thread does."""

    def crash():
        time.sleep(float(os.environ.get("CRASH_AFTER_SECONDS", "0.05")))
        print("crashed", file=sys.stderr, flush=True)
        os._exit(1)

    threading.Thread(target=crash, daemon=True).start()


if os.environ.get("CRASH_AFTER_SECONDS"):
    crash_soon()
