"""Who is who in a document of results: which run plays which part, and who did not run. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.contest.contenders import ADAPTIVE, MAX_REQUESTS, THREADED, UWSGI, rule_of_thumb, static_max
from benchmarks.contest.fronted import SERVED, TCP, UNIX
from benchmarks.contest.intervals import Value
from benchmarks.contest.jobs import BESIDE, BESIDE_WORKLOADS
from benchmarks.contest.peers import GRANIAN, PASSENGER, UWSGI_FAST, UWSGI_RSS
from benchmarks.contest.workloads import WORKLOADS

RECYCLED, UWSGI_RECYCLED = MAX_REQUESTS.name, UWSGI_RSS.name
ORACLE, RULE, MOST = "oracle", "rule", "most"
PARTS = (ADAPTIVE, ORACLE, RULE, THREADED, MOST, UWSGI, UWSGI_FAST, GRANIAN, PASSENGER, RECYCLED, UWSGI_RECYCLED)
"""In the order of every table and legend."""
RIVALS = PARTS[1:]
NAMES = {
    ADAPTIVE: "adaptive",
    ORACLE: "static oracle",
    RULE: "2K + 1",
    THREADED: "3 x 4 threads",
    MOST: "static maximum",
    UWSGI: "uWSGI busyness",
    UWSGI_FAST: "uWSGI busyness, fast",
    GRANIAN: "Granian",
    PASSENGER: "Passenger",
    RECYCLED: "2K + 1, max_requests",
    UWSGI_RECYCLED: "uWSGI, reload-on-rss",
}
DIRECT = ""
FRONTS = {UNIX: "UNIX socket", TCP: "TCP"}
_FRONTED = {contender.name: contender.title for contender, _ in SERVED}
NO_RUN = "no run in these results"
UNKNOWABLE = ("gb_seconds", "oom_kills", "downstream")
"""Figures whose null says that nobody could look, not that they were never reached."""
Run = Mapping[str, Any]
Found = Mapping[str, Any]


def cores(found: Found) -> int:
    """That the servers got."""
    return len(found.get("layout", {}).get("server_cores", [0]))


def name_of(found: Found, workload: str, part: str) -> str | None:
    """The contender that plays this part; None for an oracle that was not sought, a maximum nobody knows."""
    if part == ORACLE:
        best: str | None = found.get("sweep", {}).get(workload, {}).get("best")
        return best
    if part == RULE:
        return f"static-{rule_of_thumb(cores(found))}"
    if part == MOST:
        return f"static-{static_max(WORKLOADS[workload])}" if workload in WORKLOADS else None
    return part


def parts_of(found: Found, workload: str, contender: str) -> list[str]:
    """All that this contender plays there; a static count may be oracle and rule of thumb in one."""
    return [part for part in PARTS if name_of(found, workload, part) == contender]


def title(found: Found, workload: str, contender: str) -> str:
    """`static-3: static oracle, 2K + 1`, `adaptive`."""
    parts = parts_of(found, workload, contender)
    names = ", ".join(NAMES[part] for part in parts)
    if contender == ADAPTIVE:
        return f"**{names}**"
    if contender.startswith("static-") and names:
        return f"{contender}: {names}"
    return names or _FRONTED.get(contender, contender)


def rows_of(found: Found, workload: str, front: str = DIRECT) -> list[str]:
    """Contenders with runs there: those with a part in the order of PARTS, other static counts after them."""
    ran = dict.fromkeys(run["contender"] for run in runs_of(found, workload, front=front))
    named = [name_of(found, workload, part) for part in PARTS]
    first = [name for name in dict.fromkeys(named) if name in ran]
    others = dict.fromkeys([*_FRONTED, *sorted(ran)])
    return [name for name in first if name is not None] + [name for name in others if name in ran and name not in first]


def lacking(found: Found, workload: str, front: str = DIRECT) -> dict[str, str]:
    """Parts that nobody played there, and why."""
    ran = set(rows_of(found, workload, front))
    asked = [part for part in PARTS if part not in (RECYCLED, UWSGI_RECYCLED) or WORKLOADS[workload].leak_bytes]
    missing = [part for part in asked if name_of(found, workload, part) not in ran]
    return {part: why_not(found, workload, part) for part in missing}


def why_not(found: Found, workload: str, part: str) -> str:
    """The reason given for the contender, else for the workload."""
    told: Mapping[str, str] = found.get("not_run", {})
    name = name_of(found, workload, part)
    for key in (name, f"{name} {workload}", part, workload):
        if key in told:
            return told[key]
    if part in BESIDE and workload not in BESIDE_WORKLOADS:
        return f"only asked for on {', '.join(BESIDE_WORKLOADS)}"
    return "no sweep" if part == ORACLE and name is None else NO_RUN


def absent(found: Found, fronts: Sequence[str]) -> dict[str, str]:
    """What could not run behind these, `contender workload front`, and why."""
    told: Mapping[str, str] = found.get("not_run", {})
    return {name: why for name, why in told.items() if name.rpartition(" ")[2] in fronts}


def workloads_of(found: Found) -> list[str]:
    """All there are, in their own order, then names that only the results know."""
    ran = dict.fromkeys(run["workload"] for run in found.get("runs", []))
    return [*WORKLOADS, *(name for name in ran if name not in WORKLOADS)]


def workload_title(workload: str) -> str:
    """In a few words."""
    return WORKLOADS[workload].title if workload in WORKLOADS else workload


def runs_of(found: Found, workload: str, contender: str = "", front: str = DIRECT) -> list[Run]:
    """Valid and not."""
    return [
        run
        for run in found.get("runs", [])
        if run["workload"] == workload
        and run.get("front", DIRECT) == front
        and (not contender or run["contender"] == contender)
    ]


def values(found: Found, workload: str, part: str, figure: str, front: str = DIRECT) -> dict[int, Value]:
    """Of the valid runs, by seed; `part` may be a contender's name. Empty when the figure means nothing there."""
    contender = (name_of(found, workload, part) or "") if part in PARTS else part
    runs = valid(runs_of(found, workload, contender, front)) if contender else []
    found_values = {run["seed"]: run["figures"][figure] for run in runs if figure in run["figures"]}
    return {seed: one for seed, one in found_values.items() if one is not None or figure not in UNKNOWABLE}


def valid(runs: Sequence[Run]) -> list[Run]:
    """Those that count."""
    return [run for run in runs if run["valid"]]


def failed_shares(found: Found, workload: str, part: str, front: str = DIRECT) -> dict[int, Value]:
    """Of all requests, by seed."""
    failed, asked = (values(found, workload, part, figure, front) for figure in ("failed", "requests"))
    return {seed: (failed[seed] or 0) / max(1, asked[seed] or 0) for seed in failed}
