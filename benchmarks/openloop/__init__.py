"""A bounded open-loop load generator for servers on this host.

Arrivals are scheduled before the first one is sent, and latency counts from the scheduled moment: a server that
falls behind shows as waiting, instead of quietly slowing its clients down. Standard library only.

    from benchmarks.openloop import parse_phases, parse_target, run, summarise

    result = asyncio.run(run(parse_target("http://127.0.0.1:8000/io?ms=100"), parse_phases("10:5,150:10")))
    print(summarise(result)["latency_seconds"]["p95"])
"""

from benchmarks.openloop.generator import run
from benchmarks.openloop.plan import Phase, RefusedError, Target, parse_phases, parse_target, schedule
from benchmarks.openloop.results import Request, Run, summarise, time_back_under

__all__ = [
    "run",
    "summarise",
    "time_back_under",
    "parse_target",
    "parse_phases",
    "schedule",
    "Phase",
    "Target",
    "Request",
    "Run",
    "RefusedError",
]
