"""The results for a terminal: a table for each workload, best late share first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.contest.workloads import WORKLOADS

HEAD = (
    f"{'':26}{'late>50':>9}{'late>250':>9}{'failed':>8}{'p50 ms':>8}{'p95 ms':>8}{'back s':>8}{'workers':>9}{'GB s':>8}"
)


def report(found: Mapping[str, Any]) -> str:
    """All of it; a run that is not valid says so."""
    lines: list[str] = []
    for name, workload in WORKLOADS.items():
        runs = [one for one in found["runs"] if one["workload"] == name]
        if runs:
            best = found["sweep"].get(name, {}).get("best")
            lines += ["", workload.title + (f"; static oracle: {best}" if best else ""), HEAD]
            lines += [row(one) for one in sorted(runs, key=lambda one: one["figures"]["late_50_share"])]
    lines += [f"left out: {name}: {why}" for name, why in found["not_run"].items()]
    return "\n".join(lines).strip()


def row(one: Mapping[str, Any]) -> str:
    """One run."""
    figures = one["figures"]
    name = one["contender"] + (f", nginx {one['front']}" if one["front"] else "") + f" #{one['seed']}"
    back = seconds(figures["back_seconds"]) if "back_seconds" in figures else ""
    return (
        f"  {name:24}{figures['late_50_share']:9.1%}{figures['late_250_share']:9.1%}{figures['failed']:8}"
        f"{milliseconds(figures['p50_seconds']):>8}{milliseconds(figures['p95_seconds']):>8}{back:>8}"
        f"{figures['mean_workers']:9.1f}{figures['gb_seconds'] or 0:8.1f}"
        + ("" if one["valid"] else f"  NOT VALID: {one['why']}")
    )


def milliseconds(seconds: float | None) -> str:
    """A dash for never."""
    return "-" if seconds is None else f"{seconds * 1e3:.0f}"


def seconds(found: float | None) -> str:
    """`never` for None."""
    return "never" if found is None else f"{found:.2f}"
