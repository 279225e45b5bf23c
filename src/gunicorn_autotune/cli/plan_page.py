"""The plan for people: what was seen, what limits the host, what it could take, and the file. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from gunicorn_autotune.cli.plan_capacity import FAR, Capacity
from gunicorn_autotune.cli.plan_limits import Hindrance
from gunicorn_autotune.cli.plan_observed import Observed
from gunicorn_autotune.cli.plan_staffing import Bound
from gunicorn_autotune.cli.plan_staffing_words import wait_share
from gunicorn_autotune.cli.plan_words import cores_text, limit_text, rate_text, share_text, time_text
from gunicorn_autotune.cli.style import WIDEST, Style, bytes_text, count_text, figure, seconds_text, table, wrapped
from gunicorn_autotune.model.readings import Missing, Reading

LEVELS = {True: ("TROUBLE", "red"), False: ("note", "yellow")}
BOUNDS = {
    Bound.CPU: "CPU",
    Bound.MEMORY: "memory",
    Bound.MAX_WORKERS: "max_workers",
    Bound.DOWNSTREAM: "what requests wait for",
}


def page(
    observed: Observed, hindrances: Sequence[Hindrance], capacity: Reading[Capacity], file: str, style: Style
) -> str:
    """Everything, at most 100 columns wide; `file` is what stands below: the settings, or where they were written."""
    parts = [
        [style.paint("bold", _title(observed)), *_seen(observed)],
        [style.paint("bold", "What limits it"), *_limits(hindrances, style)],
        [style.paint("bold", "What this host could take"), *wrapped(capacity_text(observed, capacity), WIDEST)],
        [file.rstrip("\n")],
    ]
    return "\n\n".join("\n".join(lines) for lines in parts)


def capacity_text(observed: Observed, capacity: Reading[Capacity]) -> str:
    """The rate, its limit, and all that is assumed."""
    if isinstance(capacity, Missing):
        return f"It cannot be told: {capacity.why}."
    goal = time_text(observed.policy.queue_time_goal_seconds)
    peak = rate_text(observed.load.arrivals_per_second_peak)
    share = capacity.cores_share
    cores = "" if isinstance(share, Missing) else f" (cores {share_text(share)} in use)"
    return " ".join(
        [
            f"About {rate_text(capacity.requests_per_second)} with a queue time goal of {goal}, limited by "
            f"{BOUNDS[capacity.limited_by]}{cores}; the peak seen was {peak}.",
            *_full(capacity),
            *_others(capacity),
            f"Assumed: the same mix of requests, {_each(observed)} a request, whatever they wait for as fast as now, "
            "and nothing else on these cores.",
            *_doubts(observed, capacity),
        ]
    )


def _full(capacity: Capacity) -> Iterator[str]:
    most = capacity.full_requests_per_second
    if most > capacity.requests_per_second:
        yield f"At {rate_text(most)} it is full, and the queue only grows."


def _others(capacity: Capacity) -> Iterator[str]:
    rest = {name: rate for name, rate in capacity.bounds.items() if name is not capacity.limited_by}
    if rest:
        yield "Next: " + ", ".join(f"{BOUNDS[name]} {rate_text(rate)}" for name, rate in rest.items()) + "."


def _each(observed: Observed) -> str:
    each = observed.cpu.seconds_per_request
    return "an unknown CPU time" if isinstance(each, Missing) else f"{time_text(each)} of CPU"


def _doubts(observed: Observed, capacity: Capacity) -> Iterator[str]:
    if capacity.far:
        times = figure(capacity.times_seen)
        yield f"That is {times} times that peak, more than {FAR:.0f}: an extrapolation, so test it before you need it."
    elif capacity.times_seen < 1.0:
        yield "That is less than what came at the peak: requests waited longer than the goal."
    if any(isinstance(bound, Missing) for bound in (observed.cpu.seconds_per_request, observed.cpu.cores)):
        yield "What the cores allow is not known."


def _title(observed: Observed) -> str:
    threads = f" x {observed.crew.threads}" if 1 < observed.crew.threads < 256 else ""
    requests = count_text(observed.load.requests)
    server = f"{observed.worker_class}{threads}, up to {observed.crew.most} workers"
    return f"{seconds_text(math.floor(observed.seconds))}, {requests} requests, {server}"


def _seen(observed: Observed) -> list[str]:
    rows = [*_load_rows(observed), *_host_rows(observed)]
    return table([(name, text) for name, text in rows if text], left=frozenset({0, 1}))


def _load_rows(observed: Observed) -> Iterator[tuple[str, str]]:
    load, queue = observed.load, observed.queue
    mean, peak = rate_text(load.arrivals_per_second), rate_text(load.arrivals_per_second_peak)
    slots, p95, most = map(figure, (load.busy_slots, load.busy_slots_p95, load.busy_slots_peak))
    yield "arrivals", f"{mean} on average, {peak} at the peak (10 s)"
    yield "service", f"{time_text(load.service_seconds)} a request{_waiting(observed)}"
    yield "busy slots", f"{slots} on average, {p95} p95, {most} at the peak"
    if not isinstance(queue.p95_seconds, Missing):
        yield "queue", f"p95 {time_text(queue.p95_seconds)}"
    if not isinstance(queue.backlog_most, Missing):
        limit = "?" if isinstance(queue.backlog_limit, Missing) else queue.backlog_limit
        yield "backlog", f"at most {queue.backlog_most} of {limit}"


def _waiting(observed: Observed) -> str:
    each, spread = observed.cpu.seconds_per_request, observed.load.variability
    parts = (
        ""
        if isinstance(each, Missing)
        else f", {time_text(each)} of it CPU ({share_text(wait_share(observed))} waiting)"
    )
    return parts if isinstance(spread, Missing) else f"{parts}, unevenness {figure(spread)}"


def _host_rows(observed: Observed) -> Iterator[tuple[str, str]]:
    cpu, memory, crew = observed.cpu, observed.memory, observed.crew
    if not isinstance(cpu.used_cores_peak, Missing) and not isinstance(cpu.cores, Missing):
        yield "cpu", f"{figure(cpu.used_cores_peak)} of {cores_text(cpu.cores)} used at the peak"
    if not isinstance(memory.worker_bytes, Missing):
        others = "" if isinstance(memory.other_bytes, Missing) else f", {bytes_text(memory.other_bytes)} for others"
        limit = limit_text(memory.limit_bytes)
        yield "memory", f"{bytes_text(memory.worker_bytes)} the largest worker ({memory.measure}){others}, of {limit}"
    if not isinstance(crew.boot_seconds, Missing):
        cost = "" if isinstance(crew.boot_cpu_seconds, Missing) else f", {time_text(crew.boot_cpu_seconds)} of CPU"
        yield "boot", f"{time_text(crew.boot_seconds)} a worker{cost}"


def _limits(hindrances: Sequence[Hindrance], style: Style) -> list[str]:
    if not hindrances:
        return ["Nothing in this record."]
    name_columns = max(len(one.name) for one in hindrances)
    lines = []
    for one in hindrances:
        word, colour = LEVELS[one.trouble]
        hang = len("TROUBLE") + name_columns + 4
        first, *more = [*wrapped(one.finding, WIDEST - hang), *wrapped(f"-> {one.advice}", WIDEST - hang, hang=3)]
        lines.append(f"{style.paint(colour, word.rjust(7))}  {one.name.ljust(name_columns)}  {first}")
        lines += [" " * hang + line for line in more]
    return lines
