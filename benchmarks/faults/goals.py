"""Each goal, its figure, and whether it is met; a cell that did not run meets nothing and misses nothing. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.faults import leak, recycle, soak
from benchmarks.faults.chaos.accounts import UNEXPLAINED
from benchmarks.faults.tables import NEVER, failed, one_line, ratio, whole

P99_RATIO = 1.2
RECYCLED_REQUESTS = 100_000


@dataclass(frozen=True)
class Verdict:
    """One line of the table of goals."""

    what: str
    goal: str
    figure: str
    met: bool | None
    """None: not measured."""
    yardstick: str = NEVER
    """The same with Gunicorn's own means."""
    unknown: str = "not measured"
    """What to say when `met` is None."""

    @property
    def word(self) -> str:
        """Plainly."""
        return self.unknown if self.met is None else "met" if self.met else "**missed**"


def verdicts(parts: dict[str, dict[str, Any]]) -> list[Verdict]:
    """Of the cells there are, in the order of the page."""
    found: list[Verdict] = []
    judges = {"leak": of_leak, "recycle": of_recycle, "suite": of_suite, "soak": of_soak, "chaos": of_chaos}
    for cell, judge in judges.items():
        if cell in parts:
            part = parts[cell]
            found += [Verdict(cell, "", f"not run: {one_line(part['not_run'])}", None)] if "not_run" in part else (
                judge(part)
            )  # fmt: skip
    return found


def of_leak(part: dict[str, Any]) -> list[Verdict]:
    """Nobody killed, nothing lost, nobody made to wait."""
    runs = part["runs"]
    ours, static, limited = (runs[name] for name in (leak.OURS, leak.STATIC, leak.MAX_REQUESTS))
    kills, p99, free = ours["oom_kills"], ours["p99_seconds"], runs[leak.LEAK_FREE]["p99_seconds"]

    def beside(figures: tuple[str, str]) -> str:
        return f"static {figures[0]}; max_requests {figures[1]}"

    return [
        Verdict("leak: OOM kills", "0", whole(kills), None if kills is None else kills == 0,
                beside((whole(static["oom_kills"]), whole(limited["oom_kills"])))),
        Verdict("leak: requests failed", "0", failed(ours), ours["failed"] == 0,
                beside((failed(static), failed(limited)))),
        Verdict("leak: p99 / p99 without the leak", f"<= {P99_RATIO:g}", ratio(p99, free),
                p99 <= P99_RATIO * free if p99 is not None and free else None,
                beside((ratio(static["p99_seconds"], free), ratio(limited["p99_seconds"], free)))),
    ]  # fmt: skip


def of_recycle(part: dict[str, Any]) -> list[Verdict]:
    """Nothing lost, over enough requests, on every way to the server."""
    ours, native = ([found[who] for found in part["runs"].values()] for who in (recycle.OURS, recycle.NATIVE))
    missing = sum("not_run" in one for one in ours)
    total, theirs = summed(ours), summed(native)
    enough = total["requests"] >= RECYCLED_REQUESTS and not missing
    lacking = f" ({missing} of {len(ours)} servers not run)" if missing else ""
    return [
        Verdict(
            "recycles: requests failed", f"0 of at least {RECYCLED_REQUESTS:,}",
            f"{failed(total)} in {total['recycles']:,} recycles{lacking}",
            False if total["failed"] else True if enough else None,
            f"{failed(theirs)} in {theirs['recycles']:,} recycles",
            "not all measured" if missing else "too few requests",
        )
    ]  # fmt: skip


def summed(runs: list[dict[str, Any]]) -> dict[str, int]:
    """Over those that ran."""
    keys = ("failed", "requests", "recycles")
    return {key: sum(one[key] or 0 for one in runs if "not_run" not in one) for key in keys}


def of_suite(part: dict[str, Any]) -> list[Verdict]:
    """Every test passes, and the load beside the faults does not notice."""
    files = part["files"].values()
    sums = {key: sum(one[key] for one in files) for key in ("failed", "requests", "passed", "not_passed")}
    tests = sums["passed"] + sums["not_passed"]
    return [
        Verdict("fault suite: requests failed beside the faults", "0", failed(sums),
                sums["failed"] == 0 if sums["requests"] else None),
        Verdict("fault suite: tests passed", "all", f"{sums['passed']} of {tests}",
                sums["not_passed"] == 0 if tests else None),
    ]  # fmt: skip


def of_soak(part: dict[str, Any]) -> list[Verdict]:
    """Nothing grows, nothing fails."""
    growth = {name: part["growth"][name] for name in soak.SERIES if part["growth"].get(name) is not None}
    grows = [soak.SERIES[name] for name, found in growth.items() if soak.grows(name, found)]
    seen = f"{len(growth) - len(grows)} of {len(soak.SERIES)} do not grow"
    figure = seen + (f"; grows: {', '.join(grows)}" if grows else "")
    met = None if len(growth) < len(soak.SERIES) and not grows else not grows
    return [
        Verdict(f"soak, {part['seconds'] / 60:.0f} min: files, threads, memory", "none grows", figure, met),
        Verdict("soak: requests failed", "0", failed(part), part["failed"] == 0),
    ]


def of_chaos(part: dict[str, Any]) -> list[Verdict]:
    """Every account balances; the two that users feel are named."""
    wrong, streams = len(part["violations"]), part["streams"]
    done = sum(part["disturbances"].values())
    lost, cut = part["lost"].get(UNEXPLAINED, 0), streams["cut"].get(UNEXPLAINED, 0)
    return [
        Verdict(f"chaos, {part['seconds'] / 60:.0f} min, {done:,} disturbances: accounts", "all balance",
                f"{wrong} do not" if wrong else "all balance", not wrong),
        Verdict("chaos: requests lost, but for those of killed workers", "0", f"{lost:,} of {part['requests']:,}",
                not lost),
        Verdict("chaos: long connections cut, but for those of killed workers", "0",
                f"{cut:,} of {streams['opened']:,}", not cut),
    ]  # fmt: skip
