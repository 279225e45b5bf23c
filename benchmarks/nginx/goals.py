"""Each goal, its figure, and whether it is met; a cell that did not run meets nothing and misses nothing. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.faults.goals import Verdict
from benchmarks.faults.tables import NEVER, one_line
from benchmarks.nginx.tables import percent, summed, took

RACED_POSTS = 50_000
CHANGES = 200
SHARE_SECONDS = 3.0


def verdicts(parts: dict[str, dict[str, Any]]) -> list[Verdict]:
    """Of the cells there are, in the order of the page; `gain` has no goal."""
    judges = {"race": of_race, "scale": of_scale, "recycle": of_recycle, "share": of_share,
              "verify": of_verify, "retry": of_retry}  # fmt: skip
    found = []
    for cell, judge in judges.items():
        if cell in parts:
            part = parts[cell]
            lacking = Verdict(cell, "", f"not run: {one_line(part.get('not_run', ''))}", None)
            found.append(lacking if "not_run" in part else judge(part))
    return found


def of_race(part: dict[str, Any]) -> Verdict:
    """Ours over all servers; beside it what the guides' pair loses in the same traffic."""
    guide = part["runs"]["guide"]
    ours = [one for name, one in part["runs"].items() if name != "guide"]
    sums = summed(ours, "posts", "failed")
    return Verdict(
        "race: POSTs failed", f"0 of at least {RACED_POSTS:,}", f"{sums['failed']:,} of {sums['posts']:,}",
        judged(sums["failed"], sums["posts"] >= RACED_POSTS, ours), f"the guides' pair: {share_of(guide)}",
        unknown(ours, "POSTs"),
    )  # fmt: skip


def share_of(run: dict[str, Any]) -> str:
    """`118 of 2,400 (4.9 %)`."""
    if "not_run" in run:
        return NEVER
    return f"{run['failed']:,} of {run['posts']:,} ({percent(run['failed'], run['posts'])})"


def of_scale(part: dict[str, Any]) -> Verdict:
    """The newest Gunicorn, all its servers."""
    return of_changes("steps", part)


def of_recycle(part: dict[str, Any]) -> Verdict:
    """Likewise."""
    return of_changes("recycles", part)


def of_changes(what: str, part: dict[str, Any]) -> Verdict:
    """Nothing lost on the newest Gunicorn, over enough changes; the older ones stand beside it."""
    newest = part["runs"][0]["gunicorn"]
    ours = [one for one in part["runs"] if one["gunicorn"] == newest]
    sums = summed(ours, "requests", "failed", "changes")
    return Verdict(
        f"{what}: requests failed, gunicorn {newest}", f"0 in at least {CHANGES} {what}",
        f"{sums['failed']:,} of {sums['requests']:,} in {sums['changes']:,}",
        judged(sums["failed"], sums["changes"] >= CHANGES, ours), older(part["runs"], newest), unknown(ours, what),
    )  # fmt: skip


def older(runs: Sequence[dict[str, Any]], newest: str) -> str:
    """What each older Gunicorn lost, one after the other."""
    versions = dict.fromkeys(one["gunicorn"] for one in runs if one["gunicorn"] != newest)
    found = []
    for version in versions:
        sums = summed([one for one in runs if one["gunicorn"] == version], "requests", "failed", "changes")
        found.append(f"{version}: {sums['failed']:,} of {sums['requests']:,} in {sums['changes']:,}")
    return "; ".join(found) or NEVER


def of_share(part: dict[str, Any]) -> Verdict:
    """The worst of ours; the worst with nginx's own settings beside it."""
    ours = [one for one in part["runs"] if one["ours"]]
    theirs = [one for one in part["runs"] if not one["ours"] and "not_run" not in one]
    ran = [one for one in ours if "not_run" not in one]
    worst = worst_of(ran)
    over = any(one["worst_seconds"] is None or one["worst_seconds"] > SHARE_SECONDS for one in ran)
    return Verdict(
        "share: a new worker has half of an equal share", f"within {SHARE_SECONDS:g} s", worst,
        judged(over, True, ours), f"nginx's defaults: {worst_of(theirs)}", unknown(ours, "servers"),
    )  # fmt: skip


def worst_of(runs: Sequence[dict[str, Any]]) -> str:
    """In words; never is worse than any number."""
    if not runs:
        return NEVER
    worst = max(runs, key=lambda one: one["worst_seconds"] or float("inf"))
    return f"{took(worst['worst_seconds'], worst['longest_seconds'])} at worst ({worst['title']})"


def of_verify(part: dict[str, Any]) -> Verdict:
    """No growth is judged before its workers have their traffic, and there were some to judge."""
    runs = list(part["runs"].values())
    ran = [one for one in runs if "not_run" not in one]
    wrong = sum(one["misjudged"] for one in ran)
    names = ", ".join(one["title"] for one in ran if one["misjudged"])
    return Verdict(
        "verify: servers whose growth is misjudged", "0", f"{wrong} of {len(ran)}",
        judged(wrong, all(one["growths"] for one in ran), runs), names or NEVER, unknown(runs, "growths"),
    )  # fmt: skip


def of_retry(part: dict[str, Any]) -> Verdict:
    """With ours a request runs once."""
    ran = {name: max(one["ran"]) for name, one in part["runs"].items()}
    return Verdict(
        "retry: runs of a GET that kills its worker", "1", str(ran["off"]), ran["off"] == 1,
        f"nginx's default: {ran['default']}",
    )  # fmt: skip


def judged(bad: int, enough: bool, ours: Sequence[dict[str, Any]]) -> bool | None:
    """Missed, met, or too little to say."""
    if bad:
        return False
    return True if enough and not any("not_run" in one for one in ours) else None


def unknown(ours: Sequence[dict[str, Any]], what: str) -> str:
    """Why there is no verdict."""
    return "not all measured" if any("not_run" in one for one in ours) else f"too few {what}"
