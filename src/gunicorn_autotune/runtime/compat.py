"""Every private name of Gunicorn we lean on, checked at start. Tried on 22.0.0, 23.0.0, 25.3.0, 26.2.0 and 27.0.1.

One missing: observe mode and one loud log line, Gunicorn serves on.
"""

from __future__ import annotations

import os
import select
import sys
import traceback
from collections.abc import Callable
from typing import Any

ARBITER_NAMES = (
    "setup",
    "murder_workers",
    "manage_workers",
    "spawn_worker",
    "kill_worker",
    "reap_workers",
    "reload",
    "reexec",
    "stop",
    "WORKERS",
    "LISTENERS",
    "WORKER_BOOT_ERROR",
    "APP_LOAD_ERROR",
    "num_workers",
    "cfg",
    "log",
    "reexec_pid",
    "master_pid",
)
HOOK_NAMES = ("pre_fork", "post_fork", "post_worker_init", "worker_exit", "child_exit", "nworkers_changed", "on_reload")

SINGLE, THREADED, OVERLAPPING, UNKNOWN = "single", "threaded", "overlapping", "unknown"
KINDS = {
    "gunicorn.workers.sync": SINGLE,
    "gunicorn.workers.gthread": THREADED,
    "gunicorn.workers.base_async": OVERLAPPING,
    "gunicorn.workers.gasgi": OVERLAPPING,
}
"""Which worker classes report their requests, by the module that defines the request loop."""


def missing_names(server: Any) -> list[str]:
    """Names this arbiter does not have; empty when all of ours will work."""
    missing = [name for name in ARBITER_NAMES if not hasattr(server, name)]
    missing += [f"cfg.{name}" for name in HOOK_NAMES if name not in server.cfg.settings]
    if not (hasattr(server, "wait_for_signals") or (hasattr(server, "sleep") and hasattr(server, "PIPE"))):
        missing.append("wait_for_signals")
    return missing


def extend_arbiter(
    before_setup: Callable[[Any, Any], None], after_setup: Callable[[Any], None], before_start: Callable[[Any], None]
) -> None:
    """Have any arbiter of this process call `before_setup(server, app)` and `after_setup(server)` around its `setup`,
    at the start and in each reload, and `before_start(server)` as the first thing of its `start`.

    None of them gets an exception through.
    """  # fmt: skip
    from gunicorn.arbiter import Arbiter

    own_setup, own_start = _own(Arbiter.setup), _own(Arbiter.start)

    def setup(self: Any, app: Any) -> None:
        _guarded(self, before_setup, self, app)
        own_setup(self, app)
        _guarded(self, after_setup, self)

    def start(self: Any) -> None:
        _guarded(self, before_start, self)
        own_start(self)

    setup.before_autotune, start.before_autotune = own_setup, own_start  # type: ignore[attr-defined]
    Arbiter.setup, Arbiter.start = setup, start


def _own(method: Any) -> Any:
    """Gunicorn's own, also where we have been before."""
    return getattr(method, "before_autotune", method)


def _guarded(server: Any, ours: Callable[..., None], *arguments: Any) -> None:
    try:
        ours(*arguments)
    except Exception:
        told = "autotune: could not start, Gunicorn serves on without it"
        if server.log is None:  # not before the first setup
            print(told, traceback.format_exc(), sep="\n", file=sys.stderr, flush=True)
        else:
            server.log.exception(told)


def note_what_is_set() -> None:
    """From now on a Config remembers which settings were given a value, by a file, a variable or the command line.

    Only so a written `workers = 1` differs from the default: Gunicorn itself forgets who gave a value.
    """
    from gunicorn.config import Config

    original = Config.set
    if hasattr(original, "before_autotune"):
        return

    def set(self: Any, name: str, value: Any) -> None:
        original(self, name, value)
        self.__dict__.setdefault("autotune_was_set", []).append(name)

    set.before_autotune = original  # type: ignore[attr-defined]
    Config.set = set


def written_workers(cfg: Any) -> int | None:
    """Gunicorn's `workers` if somebody wrote it; None where it is only Gunicorn's default."""
    workers = int(cfg.workers)
    in_environment = cfg.env_orig.get("WEB_CONCURRENCY", "").strip() == "1"
    was_set = in_environment or "workers" in cfg.__dict__.get("autotune_was_set", ())
    return workers if was_set or workers != 1 else None


def kind_of(worker_class: type) -> str:
    """How a worker class runs its requests; UNKNOWN when it does not call the request hooks."""
    if getattr(worker_class, "wsgi_handler", None) is not None:
        return UNKNOWN  # gevent's pywsgi server has its own request loop
    modules = [base.__module__ for base in worker_class.__mro__]
    return next((KINDS[module] for module in modules if module in KINDS), UNKNOWN)


def is_asgi(worker_class: type) -> bool:
    """Whether requests reach the app through `worker.asgi`."""
    return any(base.__module__ == "gunicorn.workers.gasgi" for base in worker_class.__mro__)


def beats_while_leaving(worker_class: type) -> bool:
    """Whether a worker's heart beats until its last connection ends: that of gevent, not of asgi and old gthreads."""
    return kind_of(worker_class) == OVERLAPPING and not is_asgi(worker_class)


def requests_at_once(server: Any) -> int:
    """How many requests one worker can handle at the same time."""
    kind = kind_of(server.worker_class)
    if kind == THREADED:
        return int(server.cfg.threads)
    return int(server.cfg.worker_connections) if kind == OVERLAPPING else 1


def threads_waiting(worker: Any) -> Callable[[], int] | None:
    """How to ask how many connections a gthread worker has accepted and no thread has taken; None: not to be known.

    The queue is concurrent.futures' own; `get_thread_pool` may return a pool that has none.
    """
    size = getattr(getattr(getattr(worker, "tpool", None), "_work_queue", None), "qsize", None)
    return size if callable(size) and isinstance(size(), int) else None


def short_sleep(server: Any, seconds: float) -> None:
    """`Arbiter.sleep` of Gunicorn before 25.1, with a timeout of ours instead of one second."""
    try:
        ready, _, _ = select.select([server.PIPE[0]], [], [], seconds)
        while ready and os.read(server.PIPE[0], 1):
            pass
    except (BlockingIOError, InterruptedError):
        return
