"""Locust with the contest's traces against any host of yours, from the root of the checkout.

    locust -f benchmarks/locustfile.py --headless --host http://127.0.0.1:8000 --trace step
    locust -f benchmarks/locustfile.py --headless --host http://127.0.0.1:8000 --trace day --peak 20 --path /shop
    locust -f benchmarks/locustfile.py --class-picker --web-host 127.0.0.1        choose the shape in the browser

It ends by itself at the end of the trace. Users are a closed loop: each waits for its answer and thinks before it asks
again, so a slow server is asked less often and its queue stays hidden. For a verdict use the open loop
(`python -m benchmarks.openloop`), which sends on schedule whatever the answers do. See docs/load-it-yourself.md.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from itertools import cycle
from math import isfinite
from random import Random
from typing import Any

from benchmarks.contest.traces import DEFAULT_TRACE, THINK_SECONDS, Trace, varies, workload_of
from benchmarks.contest.workloads import WORKLOADS, Workload, plan
from benchmarks.openloop import RefusedError
from locust import FastHttpUser, LoadTestShape, events, task
from locust.env import Environment

PATIENCE_SECONDS = 30.0
"""With an answer, also when its user is to leave: cut off, the slowest would be missing from the figures."""


class TraceShape(LoadTestShape):
    """Users as the phases of a workload ask for."""

    abstract = True
    own: str | None = None
    """The name of its workload; None plays the told stationary one."""

    def trace(self, told: Namespace) -> Trace:
        """With the options of the command line."""
        return trace_of(workload_of(told.trace, self.own, told.short), told)

    def tick(self) -> tuple[int, float] | None:
        """About once a second, so a phase begins up to a second late."""
        return self.trace(self.runner.environment.parsed_options).tick(self.get_run_time())


class StepShape(TraceShape):
    """A step that stays."""

    own = "step"


class FlashShape(TraceShape):
    """A flash crowd, and calm again."""

    own = "flash"


class BurstsShape(TraceShape):
    """Busy and calm in turn."""

    own = "bursts"


class DayShape(TraceShape):
    """A day's hours, shortened."""

    own = "day"


class ImportShape(TraceShape):
    """A step for an app that is slow to import."""

    own = "import"


class PoolShape(TraceShape):
    """A step beyond what the database can do."""

    own = "pool"


class ConstantShape(TraceShape):
    """The stationary workloads: up to their rate, then on."""


class Visitor(FastHttpUser):
    """Asks, thinks, asks again."""

    network_timeout = connection_timeout = PATIENCE_SECONDS

    def on_start(self) -> None:
        """Think first: all users of a phase start at once, and would ask at once."""
        self.wait()

    def wait_time(self) -> float:
        """Thinking; exponential, so that many users together ask at random."""
        return self.environment.thinking.expovariate(1 / self.environment.trace.think_seconds)

    @task
    def ask(self) -> None:
        """The told path, or the next work of the workload's plan."""
        cpu, wait = next(self.environment.work)
        path = self.environment.parsed_options.path or f"/?c={cpu:.6f}&w={wait:.6f}"
        self.client.get(path, name=path.partition("?")[0])


@events.init_command_line_parser.add_listener
def add_options(parser: ArgumentParser) -> None:
    """Beside Locust's own."""
    for option, settings in {
        "--trace": {"choices": list(WORKLOADS), "default": DEFAULT_TRACE, "help": f"default: {DEFAULT_TRACE}"},
        "--path": {"type": a_path, "help": "such as /shop; default: /?c=..&w=.., work for the contest's app"},
        "--peak": {"type": positive, "metavar": "RATE", "help": "highest rate in requests/s; default: the trace's own"},
        "--think": {"type": positive, "default": THINK_SECONDS, "metavar": "SECONDS", "help": "mean (default: 1)"},
        "--cores": {"type": whole, "default": 1, "help": "of the server, for CPU-bound traces (default: 1)"},
        "--seed": {"type": int, "default": 1, "help": "of work and thinking (default: 1)"},
        "--short": {"action": "store_true", "help": "cut every phase to 4 s, to see that it runs"},
    }.items():
        parser.add_argument(option, include_in_web_ui=False, **settings)
    parser.set_defaults(stop_timeout=f"{PATIENCE_SECONDS:.0f}")


def a_path(text: str) -> str:
    """A path of the host."""
    if not text.startswith("/"):
        raise ArgumentTypeError(f"{text!r} must start with /")
    return text


def positive(text: str) -> float:
    """A finite number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not (isfinite(number) and number > 0):
        raise ArgumentTypeError(f"{text!r} must be a number above 0")
    return number


def whole(text: str) -> int:
    """A count of at least 1."""
    if not (text.isdecimal() and int(text) > 0):
        raise ArgumentTypeError(f"{text!r} must be a whole number above 0")
    return int(text)


def trace_of(workload: Workload, told: Namespace) -> Trace:
    """The workload with the options of the command line."""
    return Trace(workload, think_seconds=told.think, cores=told.cores, peak=told.peak)


@events.init.add_listener
def choose_shape(environment: Environment, **_: Any) -> None:
    """Locust takes the first shape of a file; take the told one. Refuse, in one line, what cannot run."""
    told = environment.parsed_options
    if told.headless and not (environment.host or "").startswith(("http://", "https://")):
        refuse(f"--host = {environment.host}, must be given and start with http:// or https://")
    own = told.trace if varies(WORKLOADS[told.trace]) else None
    shapes = environment.available_shape_classes.values()
    environment.shape_class = next(shape for shape in shapes if shape.own == own)
    environment.shape_class.runner = environment.runner
    try:
        environment.shape_class.trace(told)
    except RefusedError as error:
        refuse(str(error))


def refuse(why: str) -> None:
    """One line and exit code 2."""
    print(f"locustfile: {why}", file=sys.stderr)
    sys.exit(2)


@events.test_start.add_listener
def draw(environment: Environment, **_: Any) -> None:
    """The work that the open loop asks for with this seed, in its order; again from the start when it is used up."""
    told = environment.parsed_options
    shape = environment.shape_class
    trace = shape.trace(told) if shape else trace_of(WORKLOADS[told.trace], told)
    environment.trace = trace
    environment.work = cycle(plan(trace.workload, told.seed, told.cores).work)
    environment.thinking = Random(f"{trace.workload.name} {told.seed} thinking")
