"""The accounts of the chaos soak: what was lost and to whom, what was counted, what grew. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.faults.arithmetic import kind_of, rightly_answered
from benchmarks.faults.chaos.disturbances import Done
from benchmarks.faults.chaos.streams import Cut
from benchmarks.openloop import Request

KILLED, KERNEL, UNREAD, NO_ROOM = "in a worker we killed", "in a worker the kernel killed", \
    "not yet read by a worker that was killed", "no room to fork"  # fmt: skip
UNEXPLAINED = "unexplained"
NOTICED_SECONDS = 1.0
"""From a kill to the moment its clients have noticed, on a busy machine."""
EARLY_SECONDS = 0.2
"""A client may be told before the soak has noted the moment of its kill."""
OVER_SECONDS = 1.0
"""A limit is taken back, and a fork that it refused is answered a moment later."""
SCRAPES_AGAIN_SECONDS = 10.0
"""After the exporter was killed or stopped: its client's patience, and the pause before a new one is started."""
FDS_MORE, THREADS_MORE, RSS_MORE_SHARE, RSS_MORE_BYTES = 2, 0, 0.10, 1 << 20
EXAMPLES = 5
NEVER_DONE_FROM = 3
"""A disturbance that was drawn this often and never done does not work."""
GROWING = {
    "arbiter_fds": "arbiter, open files (at rest, before and after)", "arbiter_threads": "arbiter, threads (median)",
    "arbiter_rss_bytes": "arbiter, RSS (median)", "exporter_fds": "exporter, open files (median)",
    "exporter_threads": "exporter, threads (median)", "exporter_rss_bytes": "exporter, RSS (median)",
}  # fmt: skip


@dataclass(frozen=True)
class Kills:
    """When each process was killed."""

    ours: Mapping[int, float]
    kernel: frozenset[int]

    def whose(self, pid: int | None, at: float) -> str | None:
        """Who killed it just before `at`; None: nobody. Of the kernel's kills the moment is not known."""
        killed = self.ours.get(pid) if pid is not None else None
        if killed is not None:
            return KILLED if -EARLY_SECONDS <= at - killed <= NOTICED_SECONDS else None
        return KERNEL if pid in self.kernel else None


def lost_to(
    request: Request, ended: float, pids: Sequence[int], kills: Kills, cuts: Sequence[Done], forks: bool
) -> str:
    """Why a request that ended at `ended` without a 2xx did so; `pids` are the processes that had begun it."""
    if request.status == 503 and forks and held_at(ended, cuts):
        return NO_ROOM
    for pid in pids:
        # A worker that is killed answers nothing: a status is its own.
        if request.error and (who := kills.whose(pid, ended)):
            return who
    if not pids and request.error and any(0.0 <= ended - at <= NOTICED_SECONDS for at in kills.ours.values()):
        return UNREAD
    return UNEXPLAINED


def held_at(moment: float, cuts: Sequence[Done]) -> bool:
    """Whether a limit was cut then, or a moment ago."""
    return any(one.at <= moment <= (one.until or float("inf")) + OVER_SECONDS for one in cuts)


def requests_lost(
    requests: Sequence[Request], began: float, paths: Sequence[str], seen: Mapping[int, Sequence[int]],
    kills: Kills, cuts: Sequence[Done],
) -> dict[str, Any]:  # fmt: skip
    """How many got no 2xx, why, and the first that nobody can explain."""
    why: Counter[str] = Counter()
    examples = []
    for number, one in enumerate(requests):
        if rightly_answered(one):
            continue
        path, pids = paths[number % len(paths)], seen.get(number, ())
        ended = began + one.scheduled_seconds + one.latency_seconds
        cause = lost_to(one, ended, pids, kills, cuts, path == "/fork")
        why[cause] += 1
        if cause == UNEXPLAINED and len(examples) < EXAMPLES:
            examples.append(
                f"{path} at {one.scheduled_seconds:.2f} s: {kind_of(one)} after {one.latency_seconds:.2f} s, begun by"
                f" {', '.join(map(str, pids)) or 'nobody'}"
            )
    return {"lost": dict(why), "examples": examples}


def streams_cut(cuts: Sequence[Cut], kills: Kills) -> dict[str, int]:
    """Who ended long connections before their clients did."""
    return dict(Counter(kills.whose(one.pid, one.at) or UNEXPLAINED for one in cuts))


def between(what: str, low: int, middle: int, high: int) -> list[str]:
    """A violation unless low <= middle <= high."""
    return [] if low <= middle <= high else [f"{what}: {low:,} answered, {middle:,} counted, {high:,} sent"]


def exits_of(part: Mapping[str, Any]) -> list[str]:
    """`exits_explained`, of a run."""
    if part["exits"] is None:
        return ["the causes of exits could not be read at the end"]
    return exits_explained(part["exits"], part["disturbances"], part["kernel_kills"])


def exits_explained(exits: Mapping[str, int], done: Mapping[str, int], kernel: int) -> list[str]:
    """Exits by cause beside what was done to the workers."""
    allowed = {"signal": done["worker killed"], "terminated": done["worker told to end"], "oom_kill": kernel}
    allowed |= dict.fromkeys(("timeout", "error", "exit", "unknown"), 0)
    return [
        f"{exits[cause]} exits by {cause}, {most} explained"
        for cause, most in allowed.items() if exits.get(cause, 0) > most
    ]  # fmt: skip


def scrapes_explained(
    failures: Sequence[tuple[float, float, str]], journal: Sequence[Done], exporter_oom_killed: bool
) -> list[str]:
    """Scrapes without an answer while nothing was done to the exporter; a memory cut may have had it killed."""
    names = ("exporter killed", "exporter stopped", *(("memory cut",) if exporter_oom_killed else ()))
    done = [one for one in journal if one.name in names]
    return [
        f"a scrape failed: {why}"
        for began, ended, why in failures
        if not any(one.at <= ended and began <= (one.until or one.at) + SCRAPES_AGAIN_SECONDS for one in done)
    ]


def thirds(looks: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """The first and the last."""
    size = len(looks) // 3
    return list(looks[:size]), list(looks[len(looks) - size :])


def growth(
    looks: Sequence[Mapping[str, Any]], files_before: int | None, files_after: int | None
) -> dict[str, dict[str, Any]]:
    """First third, last third, bound; what was never seen is None and within no bound. The arbiter's files at rest."""
    first, last = thirds(looks)
    found = {"arbiter_fds": row(files_before, files_after, FDS_MORE)}
    found["exporter_fds"] = row(*middles(first, last, "exporter_fds"), FDS_MORE)
    for who in ("arbiter", "exporter"):
        found[f"{who}_threads"] = row(*middles(first, last, f"{who}_threads"), THREADS_MORE)
        before, after = middles(first, last, f"{who}_rss_bytes")
        found[f"{who}_rss_bytes"] = row(before, after, RSS_MORE_BYTES + int(RSS_MORE_SHARE * (before or 0)))
    return found


def row(first: int | None, last: int | None, more: int) -> dict[str, Any]:
    """One line of the table."""
    flat = None if first is None or last is None else last <= first + more
    return {"first": first, "last": last, "more_allowed": more, "flat": flat}


def values(looks: Sequence[Mapping[str, Any]], name: str) -> list[int]:
    """Those that are known."""
    return [one[name] for one in looks if one.get(name) is not None]


def middles(first: Sequence[Mapping[str, Any]], last: Sequence[Mapping[str, Any]], name: str) -> tuple[Any, Any]:
    """The median of each third: an exporter that was just started has fewer of everything."""
    before, after = values(first, name), values(last, name)
    return (int(median(before)) if before else None, int(median(after)) if after else None)


def violations(part: Mapping[str, Any]) -> list[str]:
    """Everything that does not balance; empty when all does."""
    sent, answered, counted = part["requests"], part["answered"], part["counted"]
    all_sent = sent + part["streams"]["opened"]
    found = between("requests", answered, counted["requests"], all_sent)
    found += between("durations", answered, counted["durations"], all_sent)
    found += between("the app's own counter", answered, counted["app"], sent)
    found += between("jobs of forked children", part["jobs"]["answered"], counted["jobs"], part["jobs"]["sent"])
    found += [f"a request failed: {example}" for example in part["examples"]]
    if cut := part["streams"]["cut"].get(UNEXPLAINED):
        found.append(f"{cut} long connections were cut, and no kill explains it")
    found += exits_of(part)
    if part["spawned"] != part["ended"] + part["alive"]:
        found.append(f"{part['spawned']} workers started, but {part['ended']} ended and {part['alive']} live")
    found += part["counters_wrong"] + part["scrapes_unexplained"]
    found += [f"{GROWING[name]} grew: {one['first']:,} to {one['last']:,}" for name, one in part["growth"].items()
              if one["flat"] is False]  # fmt: skip
    found += [f"{GROWING[name]}: never measured" for name, one in part["growth"].items() if one["flat"] is None]
    if part["kernel_kills"] > (part["oom_kills"] or 0):
        found.append(f"{part['kernel_kills']} unexplained SIGKILLs, {part['oom_kills'] or 0} OOM kills by the kernel")
    drawn = Counter(part["missed"])
    found += [f"{name}: drawn {times} times and never done" for name, times in drawn.items()
              if times >= NEVER_DONE_FROM and not part["disturbances"].get(name)]  # fmt: skip
    if part["arbiter_exit_code"] != 0:
        found.append(f"the arbiter ended with exit code {part['arbiter_exit_code']}")
    found += [f"left behind: {one}" for one in part["left_behind"]]
    return found
