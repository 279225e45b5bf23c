"""The figures of each cell as rows, the same for the terminal and for docs/nginx-measured.md. Pure."""

from __future__ import annotations

from typing import Any

from benchmarks.faults.tables import NEVER, Table, late, milliseconds, one_line, whole
from benchmarks.nginx import gain, plans


def tables(cell: str, part: dict[str, Any]) -> list[Table]:
    """Of one cell that ran."""
    made = {
        "race": race_table, "scale": scale_table, "recycle": recycle_table,
        "share": share_table, "verify": verify_table, "gain": gain_table, "retry": retry_table,
    }[cell]  # fmt: skip
    return [made(part)]


def race_table(part: dict[str, Any]) -> Table:
    """One row a pair of settings and kind of server."""
    runs = part["runs"].values()
    heads = (
        "server",
        "sites",
        "each for",
        "POSTs",
        "failed",
        "share",
        "bursts",
        "aimed gaps",
        "p50",
        "p99",
        "nginx said",
    )
    ran = [one for one in runs if "not_run" not in one]
    return Table(
        "POSTs to connections that expire", heads, tuple(_race_row(one) for one in runs), pairs(runs) + lateness(ran)
    )


def _race_row(one: dict[str, Any]) -> tuple[str, ...]:
    if "not_run" in one:
        return (one["title"], whole(one["sites"]), NEVER, f"not run: {one_line(one['not_run'])}", *[NEVER] * 7)
    return (
        one["title"], whole(one["sites"]), f"{one['seconds']:g} s", whole(one["posts"]), whole(one["failed"]),
        percent(one["failed"], one["posts"]), *(_of(one["traffic"][kind]) for kind in (plans.BURSTS, plans.AIMED)),
        milliseconds(one["p50_seconds"]), milliseconds(one["p99_seconds"]), words(one["nginx_errors"]),
    )  # fmt: skip


def _of(counts: dict[str, int]) -> str:
    return f"{counts['failed']:,} of {counts['posts']:,}"


def scale_table(part: dict[str, Any]) -> Table:
    """One row a Gunicorn, worker class and way."""
    return changes_table("Steps of the worker count", "steps", part)


def recycle_table(part: dict[str, Any]) -> Table:
    """Likewise."""
    return changes_table("Recycles", "recycles", part)


def changes_table(title: str, what: str, part: dict[str, Any]) -> Table:
    """One row a Gunicorn, worker class and way."""
    heads = ("gunicorn", "server", what, "requests", "POSTs", "failed", "of them POSTs", "how",
             "lowest ready", "p50", "p99", "nginx said")  # fmt: skip
    missing = part["missing"]
    notes = (f"not installed here, so not measured: gunicorn {', '.join(missing)}",) * bool(missing)
    ran = [one | {"title": f"{one['gunicorn']} {one['title']}"} for one in part["runs"] if "not_run" not in one]
    return Table(title, heads, tuple(_changes_row(one) for one in part["runs"]), notes + lateness(ran))


def _changes_row(one: dict[str, Any]) -> tuple[str, ...]:
    if "not_run" in one:
        return (one["gunicorn"], one["title"], f"not run: {one_line(one['not_run'])}", *[NEVER] * 9)
    return (
        one["gunicorn"], one["title"], whole(one["changes"]), whole(one["requests"]), whole(one["posts"]),
        whole(one["failed"]), whole(one["failed_posts"]), words(one["failed_by_kind"]), whole(one["lowest_ready"]),
        milliseconds(one["p50_seconds"]), milliseconds(one["p99_seconds"]), words(one["nginx_errors"]),
    )  # fmt: skip


def share_table(part: dict[str, Any]) -> Table:
    """One row a server and pair."""
    heads = ("server", "settings", "median", "worst", "each")
    rows = []
    for one in part["runs"]:
        if "not_run" in one:
            rows.append((one["title"], one["pair"], f"not run: {one_line(one['not_run'])}", NEVER, NEVER))
        else:
            longest = one["longest_seconds"]
            figures = (one["median_seconds"], one["worst_seconds"])
            each = ", ".join(took(value, longest) for value in one["seconds"])
            rows.append((one["title"], one["pair"], *(took(value, longest) for value in figures), each))
    return Table("Until a new worker has its share", heads, tuple(rows))


def verify_table(part: dict[str, Any]) -> Table:
    """One row a case."""
    heads = ("settings and load", "growths", "taken back (`no_gain`)", "verdict at the end", "misjudged",
             "share of each worker at the end", "requests/s")  # fmt: skip
    runs = part["runs"].values()
    notes = tuple(dict.fromkeys(f"{one['title'].split(';')[0]}: {one['pair']}" for one in runs))
    return Table("Autotune at work", heads, tuple(_verify_row(one) for one in runs), notes)


def _verify_row(one: dict[str, Any]) -> tuple[str, ...]:
    if "not_run" in one:
        return (one["title"], f"not run: {one_line(one['not_run'])}", *[NEVER] * 5)
    shares = ", ".join(percent(served, sum(one["served"])) for served in one["served"])
    return (
        one["title"], whole(one["growths"]), whole(one["taken_back"]), f"`{one['verdict']}`",
        "**yes**" if one["misjudged"] else "no", shares, f"{one['per_second']:,.0f}",
    )  # fmt: skip


def gain_table(part: dict[str, Any]) -> Table:
    """One row a worker class, way and number of connections; against TCP that is not kept."""
    rows: list[tuple[str, ...]] = []
    notes: list[str] = []
    for name, ways in part["classes"].items():
        if "not_run" in ways:
            notes.append(f"{name}: not run: {one_line(ways['not_run'])}")
            continue
        for count in map(str, gain.CONNECTIONS):
            rows += [_gain_row(name, way, count, ways) for way in gain.WAYS]
    heads = ("workers", "way", "connections", "requests/s", "against TCP, not kept", "p99", "TIME_WAIT", "failed")
    return Table("UNIX or TCP, kept or not", heads, tuple(rows), tuple(notes))


def _gain_row(name: str, way: str, count: str, ways: dict[str, Any]) -> tuple[str, ...]:
    one, plain = ways[way][count], ways["tcp_off"][count]
    change = "" if one is plain else f"{one['per_second'] / plain['per_second'] - 1.0:+.0%}"
    return (
        name, way_words(way), count, whole(round(one["per_second"])), change,
        f"{one['p99_seconds'] * 1e3:.1f} ms", whole(round(one["time_wait"])), whole(round(one["failed"])),
    )  # fmt: skip


def way_words(way: str) -> str:
    """`UNIX, kept`."""
    road, pair = gain.WAYS[way]
    return f"{road}, {'kept' if pair.pool else 'not kept'}"


def retry_table(part: dict[str, Any]) -> Table:
    """One row a case."""
    rows = [(one["title"], whole(max(one["ran"])), ", ".join(map(str, one["ran"]))) for one in part["runs"].values()]
    return Table("A request that kills its worker", ("request", "it ran, at most", "each try"), tuple(rows))


def pairs(runs: Any) -> tuple[str, ...]:
    """Each pair of settings once."""
    return tuple(dict.fromkeys(f"{one['title'].split(', ')[-1]}: {one['pair']}" for one in runs))


def lateness(runs: list[dict[str, Any]]) -> tuple[str, ...]:
    """Runs whose generator was late itself."""
    return late({str(number): one for number, one in enumerate(runs)})


def took(value: float | None, longest: float) -> str:
    """`1.3 s`, or that it did not come in time."""
    return f"over {longest:g} s" if value is None else f"{value:.1f} s"


def percent(part: int, whole_count: int) -> str:
    """`5.1 %`."""
    return f"{100.0 * part / whole_count:.1f} %" if whole_count else NEVER


def words(counts: dict[str, int]) -> str:
    """`3 status 502`, or a dash."""
    return ", ".join(f"{count:,} {name}" for name, count in counts.items()) or NEVER


def summed(runs: list[dict[str, Any]], *names: str) -> dict[str, int]:
    """Over the runs that ran."""
    return {name: sum(one[name] or 0 for one in runs if "not_run" not in one) for name in names}
