"""What limits the host, or soon will: one check for each, with its figure and what to do about it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from gunicorn_autotune.cli.plan_observed import Observed
from gunicorn_autotune.cli.plan_recycle import FEWEST, recycle_of
from gunicorn_autotune.cli.plan_settings import doubling_of
from gunicorn_autotune.cli.plan_staffing import GROWTH, Bound, Staffing, slows_downstream
from gunicorn_autotune.cli.plan_staffing_words import cap_text
from gunicorn_autotune.cli.plan_words import cores_text, share_text, time_text
from gunicorn_autotune.cli.style import bytes_text, figure, seconds_text
from gunicorn_autotune.model.decisions import Bottleneck, Reason
from gunicorn_autotune.model.readings import Missing, known

NO_PEAK_SECONDS = 3600.0
FULL_TROUBLE_SHARE = 0.05
DELAY_SHARE = 0.2
THROTTLED_TROUBLE_SHARE = 0.05
DOUBLE_NOTE_SECONDS = 10.0
QUEUE_FULL_SHARE = 0.9
TIMEOUT_SHARE = 0.9
DOWNSTREAM_ADVICE = "look at what requests wait for (pool size, slow queries); more workers may make it worse"
HELD_TROUBLE_SHARE = 0.01
"""Share of time in which a limit held growth back."""

BOOT_TROUBLE_SHARE = 0.05
"""Below, growth waited now and then, as each growth must; from one minute in twenty on the boots are the limit."""


@dataclass(frozen=True, slots=True)
class Hindrance:
    """One limit that is near."""

    name: str
    trouble: bool
    """True: requests suffered from it, or the planned settings would. False: good to know."""
    finding: str
    advice: str


Check = Callable[[Observed, Staffing], "Hindrance | None"]


def hindrances_of(observed: Observed, staffing: Staffing) -> tuple[Hindrance, ...]:
    """Those that apply, trouble first."""
    found = [answer for check in CHECKS if (answer := check(observed, staffing)) is not None]
    return tuple(sorted(found, key=lambda one: not one.trouble))


def check_cpu(observed: Observed, _: Staffing) -> Hindrance | None:
    """Cores in full use, or workers waiting for them."""
    cpu = observed.cpu
    delay = known(cpu.delay_share, 0.0)
    if cpu.full_share < HELD_TROUBLE_SHARE and delay < DELAY_SHARE:
        return None
    each, cores = cpu.seconds_per_request, cpu.cores
    waits = f"busy workers spent {share_text(delay)} of their time waiting for a core" if delay else ""
    full = (
        "" if isinstance(cores, Missing) else f"{cores_text(cores)} were full {share_text(cpu.full_share)} of the time"
    )
    finding = "; ".join(filter(None, (full, waits)))
    less = "less CPU a request" if isinstance(each, Missing) else f"less CPU than {time_text(each)} a request"
    advice = f"more cores, or {less}; more workers would only share what there is"
    return Hindrance("cpu", cpu.full_share >= FULL_TROUBLE_SHARE, finding, advice)


def check_throttling(observed: Observed, _: Staffing) -> Hindrance | None:
    """The quota stopping every process at once, within each 100 ms."""
    share = known(observed.cpu.throttled_share, 0.0)
    if share < 0.01:
        return None
    finding = f"the CPU quota stopped the workers: throttled time was {share_text(share)} of the record's"
    return Hindrance("throttling", share >= THROTTLED_TROUBLE_SHARE, finding, "a higher quota (cpu.max, CPU limit)")


def check_downstream(observed: Observed, _: Staffing) -> Hindrance | None:
    """Requests that slow down under load while the cores idle: the database, most often."""
    if not slows_downstream(observed):
        return None
    finding = f"nothing finished faster with more than {figure(observed.load.throughput_slots)} busy slots"
    if verdict := observed.bottlenecks.get(Bottleneck.DOWNSTREAM.value, 0.0):
        finding += (
            f"; more workers brought no more throughput, and the cores had room, {share_text(verdict)} of the time"
        )
    growth = known(observed.load.service_growth, 0.0)
    if growth >= GROWTH:
        finding += f"; a request took {figure(growth)} times as long with the most arrivals as with the fewest"
    return Hindrance("downstream", True, finding, DOWNSTREAM_ADVICE)


def check_memory(observed: Observed, staffing: Staffing) -> Hindrance | None:
    """Workers that do not fit, or that the kernel killed."""
    kills, fit = known(observed.memory.oom_kills, 0), staffing.caps.get(Bound.MEMORY)
    held = observed.reasons.get(Reason.AT_MEMORY_CAP.value, 0.0) + observed.reasons.get(Reason.MEMORY.value, 0.0)
    if kills:
        finding = f"the kernel killed {kills} of this cgroup's processes for memory"
    elif fit is not None and staffing.needed > fit:
        finding = f"{staffing.needed} workers are needed, but {cap_text(observed, Bound.MEMORY, fit)}"
    elif held >= HELD_TROUBLE_SHARE:
        finding = f"memory held the worker count down {share_text(held)} of the time"
    elif fit is not None and staffing.processes_needed > fit:
        finding = f"{staffing.processes_needed} processes would be needed, but {cap_text(observed, Bound.MEMORY, fit)}"
        return Hindrance("memory", False, finding, "the threads below, or more memory")
    else:
        return None
    return Hindrance(
        "memory", True, finding, "more memory, smaller workers (preload_app), or threads where requests wait"
    )


def check_leak(observed: Observed, staffing: Staffing) -> Hindrance | None:
    """Workers that grow with each request."""
    leak = known(observed.memory.leak_bytes_per_request, 0.0)
    if leak <= 0.0:
        return None
    recycle = recycle_of(observed, staffing.workers)
    hopeless = not isinstance(recycle, Missing) and recycle.max_requests < FEWEST
    finding = f"workers grow by {bytes_text(leak)} a request and do not level off"
    if hopeless:
        finding += f": there is room for fewer than {FEWEST} requests"
    return Hindrance("leak", hopeless, finding, "find the leak; until then max_requests bounds it")


def check_boot(observed: Observed, staffing: Staffing) -> Hindrance | None:
    """Boots so dear that a doubled load waits for them."""
    doubling, booting = doubling_of(observed, staffing.workers), observed.reasons.get(Reason.BOOTING.value, 0.0)
    slow = doubling is not None and doubling.seconds >= DOUBLE_NOTE_SECONDS
    if not slow and booting < HELD_TROUBLE_SHARE:
        return None
    parts = []
    if doubling is not None:
        pace = "all at once" if doubling.at_once >= staffing.workers else f"{doubling.at_once} at a time"
        parts.append(f"{staffing.workers} more workers take {time_text(doubling.seconds)}, {pace}")
    if booting:
        parts.append(f"growth waited for boots {share_text(booting)} of the time")
    advice = "preload_app, fewer imports, or enough workers from the start; a reload costs the same"
    return Hindrance("boot", booting >= BOOT_TROUBLE_SHARE, "; ".join(parts), advice)


def check_listener(observed: Observed, _: Staffing) -> Hindrance | None:
    """A queue about to refuse connections."""
    most, limit = observed.queue.backlog_most, observed.queue.backlog_limit
    if isinstance(most, Missing) or isinstance(limit, Missing) or not 0 < QUEUE_FULL_SHARE * limit <= most:
        return None
    finding = f"{most} connections waited in a queue of {limit}: beyond that they are refused or time out"
    return Hindrance(
        "listener", True, finding, "more capacity first; a longer queue (net.core.somaxconn) only waits longer"
    )


def check_max_workers(observed: Observed, staffing: Staffing) -> Hindrance | None:
    """The operator's maximum in the way."""
    held = observed.reasons.get(Reason.AT_MAX.value, 0.0)
    if slows_downstream(observed):
        return None  # more workers would wait for the same database
    if staffing.binding is not Bound.MAX_WORKERS and held < HELD_TROUBLE_SHARE:
        return None
    finding = f"{staffing.needed} workers are needed, max_workers is {observed.policy.max_workers}"
    if held:
        finding += f"; it held growth back {share_text(held)} of the time"
    return Hindrance("max_workers", True, finding, "raise it, if the database takes the connections")


def check_pids(observed: Observed, _: Staffing) -> Hindrance | None:
    """The limit on processes in the way."""
    held = observed.reasons.get(Reason.AT_PIDS_CAP.value, 0.0)
    if held < HELD_TROUBLE_SHARE:
        return None
    finding = f"the limit on processes (pids) held growth back {share_text(held)} of the time"
    return Hindrance("pids", True, finding, "raise TasksMax or the container's pids limit")


def check_files(observed: Observed, _: Staffing) -> Hindrance | None:
    """The limit on the arbiter's open files in the way."""
    held = observed.reasons.get(Reason.AT_FILES_CAP.value, 0.0)
    if held < HELD_TROUBLE_SHARE:
        return None
    finding = f"the limit on open files held growth back {share_text(held)} of the time"
    return Hindrance("files", True, finding, "LimitNOFILE=65535 in the unit, or ulimit -n")


def check_queue(observed: Observed, _: Staffing) -> Hindrance | None:
    """Requests that waited longer than the goal."""
    waits, goal = observed.queue.p95_seconds, observed.policy.queue_time_goal_seconds
    if isinstance(waits, Missing) or waits <= goal:
        return None
    finding = f"1 request in 20 waited for a worker longer than {time_text(waits)}; the goal is {time_text(goal)}"
    return Hindrance("queue", False, finding, "the settings below; unless another line here says why not")


def check_slots(observed: Observed, _: Staffing) -> Hindrance | None:
    """A record that may not show the whole load."""
    share = observed.load.full_share
    if share < FULL_TROUBLE_SHARE:
        return None
    finding = (
        f"every worker was busy {share_text(share)} of the time: the load offered may be higher than what was seen"
    )
    return Hindrance("slots", False, finding, "record again with the planned settings")


def check_timeout(observed: Observed, _: Staffing) -> Hindrance | None:
    """Requests near the end of their time."""
    timeout, longest = observed.recorded("timeout", 30), observed.load.longest_request_seconds
    if not timeout or longest < TIMEOUT_SHARE * timeout:
        return None
    finding = f"a request ran for {time_text(longest)}, and timeout is {timeout:g} s: its worker may have been killed"
    return Hindrance("timeout", True, finding, "move slow work out of the request; a longer timeout only hides it")


def check_fault(observed: Observed, _: Staffing) -> Hindrance | None:
    """A record that breaks off."""
    if not observed.fault:
        return None
    return Hindrance("fault", False, f"the record ends early: {observed.fault}", "only what stands before it was used")


def check_length(observed: Observed, _: Staffing) -> Hindrance | None:
    """A record too short to hold a peak."""
    if observed.seconds >= NO_PEAK_SECONDS:
        return None
    finding = f"{seconds_text(math.floor(observed.seconds))} of record hold no peak"
    return Hindrance("record", False, finding, "plan for your peak, not for this: record a busy day")


CHECKS: tuple[Check, ...] = (
    check_cpu, check_throttling, check_downstream, check_memory, check_leak, check_boot, check_listener,
    check_max_workers, check_pids, check_files, check_queue, check_slots, check_timeout, check_fault, check_length,
)  # fmt: skip
