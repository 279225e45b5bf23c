"""The figures of each cell as rows, the same for the terminal and for docs/reliability.md. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.faults import leak, recycle, soak
from benchmarks.faults.chaos import accounts
from benchmarks.faults.chaos.disturbances import TABLE
from benchmarks.openloop.results import MAX_LATENESS_SECONDS

NEVER = "-"


@dataclass(frozen=True)
class Table:
    """A title, a head and rows of the same width."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def tables(cell: str, part: dict[str, Any]) -> list[Table]:
    """Of one cell that ran."""
    if cell == "chaos":
        return [accounts_table(part), disturbances_table(part), flat_table(part)]
    made = {"leak": leak_table, "recycle": recycle_table, "suite": suite_table, "soak": soak_table, "vm": vm_table}[
        cell
    ]
    return [made(part)]


def leak_table(part: dict[str, Any]) -> Table:
    """One row a server."""
    free = part["runs"][leak.LEAK_FREE]["p99_seconds"]
    rows = [_leak_row(found, free) for found in part["runs"].values()]
    heads = ("server", "OOM kills", "killed, by the log", "failed", "p50", "p99", "p99 / leak-free", "peak memory",
             "recycles", "other exits", "lowest ready", "mean ready")  # fmt: skip
    return Table(
        f"A leak in {part['limit_bytes'] >> 20} MiB", heads, tuple(rows), _failures(part["runs"]) + late(part["runs"])
    )


def _leak_row(found: dict[str, Any], free: float | None) -> tuple[str, ...]:
    exits = found["exits"]
    others = {cause: n for cause, n in (exits or {}).items() if not cause.startswith("recycle_")}
    return (
        found["title"], whole(found["oom_kills"]), whole(found["killed_by_log"]), failed(found),
        milliseconds(found["p50_seconds"]), milliseconds(found["p99_seconds"]), ratio(found["p99_seconds"], free),
        mebibytes(found["peak_working_set_bytes"]), causes(exits), _words(others) if exits is not None else NEVER,
        whole(found["lowest_ready"]), whole(found["mean_ready"]),
    )  # fmt: skip


def recycle_table(part: dict[str, Any]) -> Table:
    """Two rows a combination: ours, then Gunicorn's own."""
    rows: list[tuple[str, ...]] = []
    flat: dict[str, dict[str, Any]] = {}
    for found in part["runs"].values():
        for who, word in recycle.WHO.items():
            rows.append(_recycle_row(found["title"], word, found[who]))
            flat[f"{found['title']}, {word}"] = found[who]
    heads = ("server", "recycled by", "recycles", "of them decided", "failed", "of them POSTs",
             "GETs to send again", "lowest ready", "mean ready", "p50", "p99")  # fmt: skip
    ran = {name: one for name, one in flat.items() if "not_run" not in one}
    return Table("Recycles under load", heads, tuple(rows), _failures(ran) + late(ran))


def _recycle_row(title: str, word: str, found: dict[str, Any]) -> tuple[str, ...]:
    if "not_run" in found:
        return (title, word, f"not run: {one_line(found['not_run'])}", *[NEVER] * 8)
    return (
        title, word, whole(found["recycles"]), decided(word, found["resizes"]), failed(found),
        whole(found["failed_posts"]), whole(found["send_again"]),
        whole(found["lowest_ready"]), whole(found["mean_ready"]), milliseconds(found["p50_seconds"]),
        milliseconds(found["p99_seconds"]),
    )  # fmt: skip


def lowest_table(parts: dict[str, dict[str, Any]]) -> Table:
    """The fewest ready workers of every run, ours beside Gunicorn's own."""
    rows: list[tuple[str, ...]] = []
    if "leak" in parts:
        runs = parts["leak"]["runs"]
        rows.append(("leak", whole(runs[leak.OURS]["lowest_ready"]), whole(runs[leak.MAX_REQUESTS]["lowest_ready"])))
    if "recycle" in parts:
        for found in parts["recycle"]["runs"].values():
            both = [whole(found[who].get("lowest_ready")) for who in (recycle.OURS, recycle.NATIVE)]
            rows.append((found["title"], *both))
    return Table("Lowest number of ready workers", ("run", "autotune", "Gunicorn's own max_requests"), tuple(rows))


def suite_table(part: dict[str, Any]) -> Table:
    """One row a file, and their sum."""
    files = part["files"]
    rows = [(f"`{name}`", *_suite_figures(one)) for name, one in files.items()]
    keys = ("passed", "not_passed", "skipped", "requests", "failed")
    rows.append(("all", *_suite_figures({key: sum(one[key] for one in files.values()) for key in keys})))
    notes = [f"`{name}`: not passed: {', '.join(one['names'])}" for name, one in files.items() if one["names"]]
    notes += [f"`{name}`: {one_line(text)}" for name, one in files.items() for text in one["examples"]]
    heads = ("file", "passed", "not passed", "skipped", "requests beside the fault", "of them failed")
    return Table("The fault suite", heads, tuple(rows), tuple(notes))


def _suite_figures(one: dict[str, Any]) -> tuple[str, ...]:
    return tuple(whole(one[key]) for key in ("passed", "not_passed", "skipped", "requests", "failed"))


def vm_table(part: dict[str, Any]) -> Table:
    """One row a promise."""
    words = {"passed": "kept", "failed": "**broken**", "skipped": "not tried"}
    rows = [
        (one["promise"], words[one["outcome"]], ", ".join(f"{name} {value}" for name, value in one["figures"].items()))
        for one in part["tests"]
    ]
    return Table(f"In a virtual machine: {part['system']}", ("promise", "", "figures"), tuple(rows))


def soak_table(part: dict[str, Any]) -> Table:
    """One row for each thing that could grow."""
    rows = []
    for name, title in soak.SERIES.items():
        found = part["growth"].get(name)
        rows.append((title, *(_growth(found, name) if found else ("not seen", *[NEVER] * 4))))
    notes = [
        f"{failed(part)} requests failed; p50 {milliseconds(part['p50_seconds'])}, p99"
        f" {milliseconds(part['p99_seconds'])}, longest {milliseconds(part['max_seconds'])}",
        f"{_words(part['resizes'])} resizes; {whole(part['recycles'])} recycles;"
        f" {part['reloads']} reloads; {part['scrapes']} scrapes, {len(part['failed_scrapes'])} of them without answer",
    ]
    heads = ("what", "after the first third", "at the end", "most", "slope an hour, with its standard error", "")
    return Table("The soak", heads, tuple(rows), tuple(notes))


def _growth(found: dict[str, Any], name: str) -> tuple[str, ...]:
    form = kibibytes if name.endswith("bytes") else plain
    slope = f"{form(found['per_hour'])} ± {form(found['error_per_hour'])}"
    verdict = "grows" if soak.grows(name, found) else "flat" if found["flat"] else "falls"
    if name in soak.BOUNDED:
        slope, verdict = NEVER, "over its bound" if verdict == "grows" else f"bound {form(soak.BOUNDED[name])}"
    return form(found["first"]), form(found["last"]), form(found["most"]), slope, verdict


def accounts_table(part: dict[str, Any]) -> Table:
    """Answered, counted, sent; who was lost to what; one row an account, and whether it balances."""
    sent, counted, streams, jobs = part["requests"], part["counted"], part["streams"], part["jobs"]
    most = sent + streams["opened"]
    lost, cut = (dict(one) for one in (part["lost"], streams["cut"]))
    rows = [
        _balance("requests: answered, counted, sent", part["answered"], counted["requests"], most),
        _balance("the same by the histogram of durations", part["answered"], counted["durations"], most),
        _balance("the same by the app's own counter", part["answered"], counted["app"], sent),
        _balance("jobs of forked children: answered, counted, sent", jobs["answered"], counted["jobs"], jobs["sent"]),
        ("requests lost", _words(lost), _right(not lost.get(accounts.UNEXPLAINED))),
        ("long connections", f"{streams['opened']:,} opened, {streams['left']:,} left by their clients, cut:"
         f" {_words(cut)}", _right(not cut.get(accounts.UNEXPLAINED))),
        ("workers: started, ended, alive", f"{part['spawned']:,} = {part['ended']:,} + {part['alive']:,}",
         _right(part["spawned"] == part["ended"] + part["alive"])),
        ("exits by cause", _words(part["exits"]), _right(not accounts.exits_of(part))),
        ("scrapes", f"{part['scrapes']:,} answered, {part['failed_scrapes']:,} failed, in a row for"
         f" {part['longest_gap_seconds']:g} s at most", _right(not part["scrapes_unexplained"])),
        ("counters that fell or vanished", f"{len(part['counters_wrong'])} of {part['counters']:,}",
         _right(not part["counters_wrong"])),
        ("the arbiter's exit code, and what it left behind", f"{part['arbiter_exit_code']}, {len(part['left_behind'])}",
         _right(part["arbiter_exit_code"] == 0 and not part["left_behind"])),
    ]  # fmt: skip
    notes = tuple(one_line(one) for one in part["violations"])
    return Table(f"The accounts, seed {part['seed']}", ("account", "figures", ""), tuple(rows), notes)


def _balance(what: str, low: int, middle: int, high: int) -> tuple[str, str, str]:
    return what, f"{low:,} <= {middle:,} <= {high:,}", _right(low <= middle <= high)


def _right(balances: bool) -> str:
    return "balances" if balances else "**does not balance**"


def disturbances_table(part: dict[str, Any]) -> Table:
    """What was done, how often, and what it may cost."""
    rows = [(one.name, whole(part["disturbances"][one.name]), one.cost) for one in TABLE]
    missed = f"{len(part['missed'])} more were drawn when there was nobody to do them to" if part["missed"] else ""
    return Table("What was done", ("done", "times", "may cost"), tuple(rows), (missed,) * bool(missed))


def flat_table(part: dict[str, Any]) -> Table:
    """The first third beside the last."""
    rows = []
    for name, found in part["growth"].items():
        form = (lambda value: NEVER if value is None else kibibytes(value)) if name.endswith("bytes") else whole
        word = {True: "flat", False: "**grows**", None: "not seen"}[found["flat"]]
        title = accounts.GROWING[name]
        rows.append((title, form(found["first"]), form(found["last"]), form(found["more_allowed"]), word))
    notes = (f"files of prometheus_client: {whole(part['metric_files_most'])} at most",)
    return Table("What could grow", ("what", "first third", "last third", "may grow by", ""), tuple(rows), notes)


def _failures(runs: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    """What failed, and the first of it, of every run that had any."""
    lines = []
    for name, found in runs.items():
        if found["failed"]:
            first = found["examples"][0]
            reached = {True: ", had reached the app", False: ", never reached the app", None: ""}
            lines.append(
                f"{found.get('title', name)}: {_words(found['failed_by_kind'])}; first a {first['method']} at"
                f" {first['at_seconds']:g} s: {first['kind']}{reached[first['reached_the_app']]}"
            )
        if found.get("nginx_errors"):
            lines.append(f"{name}, nginx said: {_words(found['nginx_errors'])}")
        if found.get("arbiter_exit_code") is not None:
            lines.append(f"{found.get('title', name)}: the arbiter ended, exit code {found['arbiter_exit_code']}")
    return tuple(lines)


def late(runs: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    """Runs whose generator was late itself: their times are worth little."""
    names = [
        found.get("title", name)
        for name, found in runs.items()
        if (found["lateness_p99_seconds"] or 0.0) > MAX_LATENESS_SECONDS
    ]
    bound = f"{MAX_LATENESS_SECONDS * 1e3:.0f} ms"
    return (f"the generator was over {bound} late (p99), so these times are no measure: {'; '.join(names)}",) * bool(
        names
    )


def failed(found: dict[str, Any]) -> str:
    """`0 of 18,000`."""
    return f"{found['failed']:,} of {found['requests']:,}"


def causes(exits: dict[str, int] | None) -> str:
    """Recycles by cause."""
    if exits is None:
        return NEVER
    found = {cause.removeprefix("recycle_"): n for cause, n in exits.items() if cause.startswith("recycle_")}
    return _words(found)


def decided(word: str, resizes: dict[str, int] | None) -> str:
    """Workers that ours told to leave for a recycle; the rest left by themselves, at twice their max_requests."""
    if resizes is None or word != recycle.WHO[recycle.OURS]:
        return NEVER
    return whole(sum(count for pair, count in resizes.items() if pair in ("shrink/recycle", "shrink/drain_first")))


def _words(counts: dict[str, int] | None) -> str:
    if counts is None:
        return NEVER
    return ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "0"


def whole(value: float | None) -> str:
    """`1,234`, `3.7`, or a dash for what nobody knows."""
    return NEVER if value is None else f"{value:,}"


def plain(value: float) -> str:
    """`0.25`."""
    return f"{value:,.6g}"


def milliseconds(value: float | None) -> str:
    """`23 ms`."""
    return NEVER if value is None else f"{value * 1e3:,.0f} ms"


def mebibytes(value: float | None) -> str:
    """`240 MiB`."""
    return NEVER if value is None else f"{value / 2**20:,.0f} MiB"


def kibibytes(value: float) -> str:
    """`24,100 KiB`."""
    return f"{value / 1024:,.0f} KiB"


def ratio(value: float | None, to: float | None) -> str:
    """`1.05`."""
    return f"{value / to:.2f}" if value is not None and to else NEVER


def one_line(text: str) -> str:
    """The first line, fit for a cell of a table."""
    return (text.strip().splitlines() or [""])[0].replace("|", "/")[:160]
