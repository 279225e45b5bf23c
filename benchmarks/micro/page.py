"""docs/cost.md, rendered from benchmarks/results/micro.json: figures are never typed by hand.

python -m benchmarks.micro.page --take     copy the last run's figures into results/, then write the page
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.micro.options import OUT
from benchmarks.micro.report import figure

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "micro.json"
PAGE = ROOT / "docs" / "cost.md"
HEAD = """# What it costs, and what a step in load does

<!-- Written by `python -m benchmarks.micro.page` from benchmarks/results/micro.json; a test holds it fresh. -->

`make bench-micro` measures all of this on your host and prints it; nothing timed ever decides a test. Goals are judged
by the median, misses are shown as plainly as hits.

**Read with care.** Load generator and servers shared the two cores of a small virtual machine whose speed changes by
up to two times from minute to minute, with a CPython built without optimisations; min and median are both given, and
figures of the same run may be compared with each other. They are not a promise for your hardware.

"""
TITLES = {
    "record": "Recording one request",
    "throughput": "Throughput of hello-world, one sync worker, paired with plain Gunicorn",
    "tick": "One tick of the controller",
    "arbiter_idle": "CPU of an idle arbiter with 4 workers, beside plain Gunicorn's",
    "scrape": "One scrape",
    "memory": "Extra memory",
    "step": "A step from 10 to 150 requests a second of 100 ms I/O, open loop, new connection each",
}


def page(document: dict[str, Any]) -> str:
    """The whole page."""
    parts = [HEAD]
    for name, title in TITLES.items():
        if name in document:
            parts.append(_section(title, document[name]))
    return "".join(parts).rstrip() + "\n"


def _section(title: str, case: dict[str, Any]) -> str:
    lines = [f"## {title}", "", "| measured | goal | min | median | max | |", "|---|---|---|---|---|---|"]
    for one in case["measured"]:
        unit = f", {one['unit']}" if one["unit"] else ""
        figures = [_figure(one[key]) for key in ("min", "median", "max")]
        lines.append(f"| {one['what']}{unit} | {one['goal']} | {' | '.join(figures)} | {one['verdict']} |")
    lines.append("")
    lines += [
        f"- {one['what']}: {text}" for one in case["measured"] for text in (one["yardstick"], one["note"]) if text
    ]
    if case["skipped"]:
        lines.append(f"- not measured: {case['skipped']}")
    before, after = case["load_averages"]
    machine = case["machine"]
    lines += [
        "",
        f"Taken {case['taken'][:10]} on {machine['cores']} cores, {machine['cpu']}, {machine['python']}, gunicorn "
        f"{machine['gunicorn']}; load average {before:.1f} before, {after:.1f} after.",
        "",
        "",
    ]
    return "\n".join(lines)


def _figure(value: float | None) -> str:
    return "never" if value is None else figure(value)


def _without_values(document: dict[str, Any]) -> dict[str, Any]:
    for case in document.values():
        case.pop("details", None)
        for one in case["measured"]:
            if len(one["values"]) > 12:
                one["values"] = []
    return document


def main() -> None:
    """Write the page, after taking over the last run's figures when asked."""
    if "--take" in sys.argv:
        RESULTS.parent.mkdir(exist_ok=True)
        taken = (OUT / "micro.json").read_text().replace(f"{ROOT}/", "")
        RESULTS.write_text(json.dumps(_without_values(json.loads(taken)), indent=1) + "\n")
    PAGE.write_text(page(json.loads(RESULTS.read_text())))


if __name__ == "__main__":
    main()
