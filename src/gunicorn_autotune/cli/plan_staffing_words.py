"""Why so many workers, why this class, why so many threads: one paragraph each."""

from __future__ import annotations

from gunicorn_autotune.cli.plan_memory import mature_bytes
from gunicorn_autotune.cli.plan_observed import Observed
from gunicorn_autotune.cli.plan_staffing import PLAIN, THREADED, Bound, Staffing, is_event_loop, takes_threads
from gunicorn_autotune.cli.plan_words import cores_text, limit_text, share_text, time_text
from gunicorn_autotune.cli.style import bytes_text, figure
from gunicorn_autotune.model.readings import Missing, known


def workers_reason(observed: Observed, staffing: Staffing) -> str:
    """From load to count."""
    return " ".join(
        filter(None, (_need(observed, staffing), _clamp(observed, staffing), _spare(staffing), _assumed(observed)))
    )


def cap_text(observed: Observed, name: Bound, workers: int) -> str:
    """How a limit comes to allow `workers`."""
    if name is Bound.CPU:
        each = time_text(known(observed.cpu.seconds_per_request, 0.0))
        return f"{cores_text(known(observed.cpu.cores, 0.0))} feed no more than {workers}, at {each} of CPU a request"
    if name is Bound.MEMORY:
        memory, reserve = observed.memory, share_text(observed.policy.memory_reserve_share)
        largest, other = bytes_text(known(mature_bytes(memory), 0)), bytes_text(known(memory.other_bytes, 0))
        return (
            f"memory holds no more than {workers}: {limit_text(memory.limit_bytes)} less {reserve} in reserve and "
            f"{other} for others, by {largest} ({memory.measure}) and 15 % for each worker"
        )
    if name is Bound.DOWNSTREAM:
        slots = figure(observed.load.throughput_slots)
        return f"what requests wait for did no more with more than {slots} busy slots, which {workers} keep busy"
    return f"max_workers allows no more than {workers}"


def wait_share(observed: Observed) -> float:
    """Share of a request's service time that is not CPU; 0 where the CPU is not known."""
    each, seconds = observed.cpu.seconds_per_request, observed.load.service_seconds
    return 0.0 if isinstance(each, Missing) or seconds <= 0.0 else max(0.0, 1.0 - each / seconds)


def class_reason(observed: Observed, staffing: Staffing) -> str:
    """Why this worker class."""
    fit = staffing.caps.get(Bound.MEMORY)
    if staffing.threads > observed.crew.threads and observed.worker_class == PLAIN:
        return (
            f"{staffing.processes_needed} processes would be needed and {fit} fit into memory. Requests wait for "
            f"{share_text(wait_share(observed))} of their time, so threads can share a process. The app, its libraries "
            "and its database connections must be thread-safe: try it before you trust it."
        )
    if not takes_threads(observed) or observed.worker_class == THREADED:
        return "As recorded; every figure here was measured with it."
    if fit is not None and staffing.processes_needed > fit:
        if isinstance(observed.cpu.seconds_per_request, Missing):
            return "As recorded. Processes do not all fit into memory; whether threads would help cannot be told."
        computing = share_text(1.0 - wait_share(observed))
        return f"As recorded. Processes do not all fit into memory, but requests compute {computing} of their time."
    if fit is None:
        return "As recorded. Whether as many processes fit into memory cannot be told."
    return "As recorded. Processes fit into memory, and they ask for no thread-safe code."


def threads_reason(staffing: Staffing) -> str:
    """Why so many threads."""
    worth = staffing.threads_worth
    if isinstance(worth, Missing):
        return f"As recorded. How many would be worth it cannot be told: {worth.why}."
    count = f"Up to {worth} threads" if worth > 1 else "No more than one thread"
    rule = f"{count} would be of use in one process, 0.7 x (1 + waiting / computing)"
    if staffing.threads == 1:
        return f"{rule}; processes come first while they fit into memory." if worth > 1 else f"{rule}."
    more = "; more wait for the GIL" if staffing.threads > worth else ""
    return f"{rule}{more}. That a thread takes little memory is assumed."


def _need(observed: Observed, staffing: Staffing) -> str:
    policy, load = observed.policy, observed.load
    rule = (
        f"so that at most {share_text(policy.queue_time_miss_share)} of requests wait longer than "
        f"{time_text(policy.queue_time_goal_seconds)}"
    )
    if is_event_loop(observed):
        used = observed.cpu.used_cores_peak
        cores = (
            "how many are in use is not known"
            if isinstance(used, Missing)
            else f"{figure(used)} are in use at the peak"
        )
        return f"One process can use about 0.7 cores; {cores}, which is {staffing.needed} workers."
    need = f"{staffing.needed} workers"
    if staffing.threads > 1:
        need = f"{staffing.slots} slots, {need} of {staffing.threads} threads"
    return (
        f"{figure(load.busy_slots_peak)} busy slots at the peak (10 s) need {need}, {rule} "
        f"(Erlang-C); 95 % of the time {staffing.needed_p95} would do."
    )


def _clamp(observed: Observed, staffing: Staffing) -> str:
    name = staffing.binding
    if name is None:
        return ""
    text = f"But {cap_text(observed, name, staffing.caps[name])}."
    if staffing.workers > staffing.caps[name]:
        text += f" min_workers is {observed.policy.min_workers}, and wins."
    return text


def _spare(staffing: Staffing) -> str:
    names = {
        Bound.CPU: "cores",
        Bound.MEMORY: "memory",
        Bound.MAX_WORKERS: "max_workers",
        Bound.DOWNSTREAM: "downstream",
    }
    loose = [f"{names[name]} {count}" for name, count in staffing.caps.items() if name is not staffing.binding]
    return f"Allowed: {', '.join(loose)}." if loose else ""


def _assumed(observed: Observed) -> str:
    spread = observed.load.variability
    return (
        f"Assumed: service times vary as exponential ones do, because {spread.why}."
        if isinstance(spread, Missing)
        else ""
    )
