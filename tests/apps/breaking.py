"""Break our own functions from within a server: behind one door, every function that is called raises, in turn.

Which functions stand behind a door is not written down: a profiler sees each call of our package that comes through
the door, and raises in the first function it has not broken yet.
"""

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

import gunicorn_autotune
from gunicorn_autotune.model.status import Door
from gunicorn_autotune.runtime.doors import Doors

PACKAGE = str(Path(gunicorn_autotune.__file__).parent)
ONCE_A_LIFE = {Door.SETUP, Door.RELOAD, Door.ON_RELOAD, Door.REEXEC, Door.STOP, Door.NWORKERS_CHANGED}
"""Opened too seldom to break one function a time: here all are broken one after the other before the real call."""
WRITTEN_OUT = {"pre_request": Door.PRE_REQUEST, "post_request": Door.POST_REQUEST, "notify_with_queue": Door.NOTIFY}
"""Functions in runtime/worker.py whose guard is written out instead of called."""
BARE = {"notify_with_queue": (Door.NOTIFY, "qsize"), "noted": (Door.HANDLE, "monotonic_ns")}
"""By the function with the guard, what it calls: the queue of a thread pool, the clock."""

REST_OPENINGS = 12
"""A whole tick, or nearly two, after eight that failed: ten in a row would end the deciding."""


class Breaker:
    """Raises in each function behind `door` once, in whichever process comes first; the file `broken` names them."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.file = Path("broken").absolute()
        self.file.touch()
        self.broken: set[str] = set()
        self.done: set[CodeType] = set()
        """Of this process: a profiler sees every call, so what need not be looked at again is found quickly."""
        self.rest = 0

    def is_broken(self, name: str) -> bool:
        """Whether it has been raised in here, or in another process."""
        if name not in self.broken:
            self.broken.update(self.file.read_text().split())
        return name in self.broken

    def note(self, name: str) -> None:
        """From now on it works."""
        self.broken.add(name)
        with self.file.open("a") as file:
            file.write(f"{name}\n")

    def arm(self) -> None:
        """Look at every call from now on; an exception raised by a profiler ends it, so `failed` arms it again.

        A reload reads the configuration anew: nothing must be wrapped twice.
        """
        if hasattr(Doors, "breaker"):
            return
        Doors.breaker = self
        through, failed = Doors.through, Doors.failed

        def failed_and_armed(doors: Doors, door: Door, where: str = "") -> None:
            sys.setprofile(None)
            failed(doors, door, where)
            sys.setprofile(self.look)

        def through_all(doors: Doors, door: Door, ours: Callable, *arguments: object, otherwise: object = None):
            known = -1
            while door is self.door and door in ONCE_A_LIFE and known < len(self.broken):
                known = len(self.broken)
                # Again each time: what an inner guard held has ended the profiler as well.
                sys.setprofile(self.look)
                through(doors, door, ours, *arguments, otherwise=otherwise)
            self.rest = max(0, self.rest - (door is self.door))
            sys.setprofile(self.look)
            return through(doors, door, ours, *arguments, otherwise=otherwise)

        Doors.failed, Doors.through = failed_and_armed, through_all
        threading.setprofile(self.look)
        sys.setprofile(self.look)

    def look(self, frame, event: str, argument: Any) -> None:
        """The profiler: called with every call."""
        code = frame.f_code
        if code in self.done:
            return
        if event == "c_call" and code.co_name in BARE:
            self.break_bare(*BARE[code.co_name], argument)
            return
        if event != "call" or not code.co_filename.startswith(PACKAGE) or code.co_filename.endswith("doors.py"):
            return
        if code.co_name in WRITTEN_OUT or self.rest or _door_of(frame.f_back) is not self.door:
            return
        self.done.add(code)
        name = f"{Path(code.co_filename).stem}.{code.co_name}"
        if not self.is_broken(name):
            self.fail(name)

    def break_bare(self, door: Door, name: str, called: Any) -> None:
        """Behind these doors stands no Python function of ours."""
        if self.door is door and called.__name__ == name and not self.is_broken(name):
            self.fail(name)

    def fail(self, name: str) -> None:
        """Raise in this function, for the first and last time."""
        self.note(name)
        if self.door is Door.TICK and len(self.broken) % 8 == 0:
            self.rest = REST_OPENINGS
        raise RuntimeError(f"{name} fails on purpose")


def _door_of(frame) -> Door | None:
    """The door that was opened last."""
    while frame is not None:
        code = frame.f_code
        if code.co_filename.endswith("runtime/doors.py"):
            return frame.f_locals.get("door") if code.co_name == "through" else None
        if code.co_name in WRITTEN_OUT and code.co_filename.endswith("runtime/worker.py"):
            return WRITTEN_OUT[code.co_name]
        frame = frame.f_back
    return None
