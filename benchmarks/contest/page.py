"""docs/benchmarks.md and its plots, rendered from benchmarks/results/contest.json: figures are never typed by hand.

python -m benchmarks.contest.page     write both again (plots need matplotlib, the page does not)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.contest import goals, page_side, page_tables, page_text, page_words, roles
from benchmarks.contest.cells import count
from benchmarks.contest.contenders import BUILT_IN
from benchmarks.contest.drawn import drawn_runs, points
from benchmarks.contest.jobs import LOCUST
from benchmarks.contest.kept import RESULTS
from benchmarks.contest.roles import Found, Run

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "benchmarks.md"
PLOTS = ROOT / "docs" / "benchmarks"
PARETO = "late-memory.svg"
SERIES = "{workload}.svg"


def load(path: Path = RESULTS) -> dict[str, Any]:
    """The results last taken; an empty document before the first."""
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def page(found: Found) -> str:
    """The whole page; any part of the results may be missing."""
    if not found.get("runs"):
        return "\n".join([page_words.HEAD, page_words.NOTHING, page_words.METHOD, page_words.LIMITS]).rstrip() + "\n"
    lines = [page_words.HEAD, *page_text.answer(found), page_words.METHOD, page_words.LIMITS]
    lines += [page_words.GOALS, *page_tables.goals(goals.verdicts(found))]
    oracle = page_side.beside_oracle(found)
    lines += [page_words.ORACLE, *oracle] if oracle else []
    lines += [page_words.SCORE, *page_tables.score(found), page_words.LOSSES, *page_tables.losses(found)]
    once = page_side.once(found)
    lines += [page_words.ONCE, *once] if once else []
    lines += [page_words.SPENT, *page_tables.spent(found)]
    if pareto_shown(found):
        lines += [page_words.PARETO, f"![Late requests against memory](benchmarks/{PARETO})", ""]
    lines += ["## Workload by workload", "", page_words.COLUMNS]
    for workload in roles.workloads_of(found):
        lines += _workload(found, workload)
    lines += [*_nginx(found), *_closed(found), *_invalid(found), *_reproduce(found)]
    return "\n".join(lines).rstrip() + "\n"


def pareto_shown(found: Found) -> bool:
    """Somebody's memory and late requests are known."""
    return any(points(found, workload) for workload in roles.workloads_of(found))


def with_series(found: Found) -> list[str]:
    """Workloads that have a record over time to draw."""
    return [workload for workload in roles.workloads_of(found) if drawn_runs(found, workload)]


def _workload(found: Found, workload: str) -> list[str]:
    lines = [f"### {workload}", "", _sentence(roles.workload_title(workload)), ""]
    if not roles.runs_of(found, workload):
        return [*lines, f"Not run: {roles.why_not(found, workload, workload)}.", ""]
    lines += page_tables.results(found, workload)
    missing = roles.lacking(found, workload)
    if missing:
        lines += ["Not run: " + "; ".join(f"{roles.NAMES[part]} ({why})" for part, why in missing.items()) + ".", ""]
    swept = found.get("sweep", {}).get(workload, {}).get("counts")
    if swept:
        lines += [f"The oracle's sweep (late > 50, p95): {page_side.swept(swept)}.", ""]
    lines += _words(roles.runs_of(found, workload))
    if workload in with_series(found):
        lines += [f"![{workload}: load, workers and p95 over time](benchmarks/{SERIES.format(workload=workload)})", ""]
    return lines


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _words(runs: list[Run]) -> list[str]:
    """What was said of runs that count all the same, such as a server that ended."""
    said = [f"- {run['contender']}, seed {run['seed']}: {run['why']}" for run in runs if run["valid"] and run["why"]]
    return [*said, ""] if said else []


def _nginx(found: Found) -> list[str]:
    ran = dict.fromkeys(run["workload"] for run in found["runs"] if run.get("front"))
    lines = [page_words.NGINX]
    for workload in ran:
        lines += [f"{_sentence(roles.workload_title(workload))}", "", *page_side.fronted(found, workload)]
    return [*lines, *_absent(roles.absent(found, tuple(roles.FRONTS)), bool(ran))]


def _closed(found: Found) -> list[str]:
    ran = bool(found.get("closed"))
    table = page_side.closed(found) if ran else []
    return [page_words.CLOSED, *table, *_absent(roles.absent(found, (LOCUST,)), ran)]


def _absent(reasons: Mapping[str, str], ran: bool) -> list[str]:
    """Who did not run there, and why; nobody need be named where all did."""
    if not reasons:
        return [] if ran else [f"Not run: {roles.NO_RUN}.", ""]
    return ["Not run: " + "; ".join(f"{name} ({why})" for name, why in reasons.items()) + ".", ""]


def _invalid(found: Found) -> list[str]:
    tries, left = page_side.spoilt(found), [run for run in found["runs"] if not run["valid"]]
    total = (
        f"{len(tries) or 'No'} spoilt {'try' if len(tries) == 1 else 'tries'}; of {count(len(found['runs']), 'run')}"
    )
    open_ = f"{len(left) or 'none'} {'is' if len(left) == 1 else 'are'} without a valid one."
    return [page_words.INVALID, f"{total}, {open_}", "", *(page_side.invalid(tries) if tries else [])]


def _reproduce(found: Found) -> list[str]:
    machine, layout = found.get("machine", {}), found.get("layout", {})
    lines = [page_words.AGAIN, f"- Command: `{found.get('command', 'unknown')}`, {str(found.get('taken', ''))[:10]}"]
    lines.append("- Machine: " + ", ".join(_fact(name, text) for name, text in machine.items()))
    peers = {name: text for name, text in found.get("versions", {}).items() if text != BUILT_IN}
    lines.append("- Peers' versions: " + ", ".join(f"{name} {text}" for name, text in sorted(peers.items())))
    lines.append("- Layout: " + ", ".join(f"{name} {_plain(one)}" for name, one in layout.items()))
    seeds = [f"{name} {_span(found, name)}" for name in roles.workloads_of(found) if roles.runs_of(found, name)]
    return [*lines, "- Seeds: " + "; ".join(seeds)]


def _fact(name: str, text: str) -> str:
    return f"{text} {name}" if name in ("cores", "memory") else text if name in ("cpu", "system") else f"{name} {text}"


def _plain(one: Any) -> str:
    return ", ".join(map(str, one)) or "none" if isinstance(one, list) else str(one)


def _span(found: Found, workload: str) -> str:
    seeds = sorted({run["seed"] for run in roles.runs_of(found, workload)})
    return f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else str(seeds[0])


def drawings(found: Found) -> dict[str, str]:
    """Every plot that the page shows, by file name."""
    if not found.get("runs"):
        return {}
    from benchmarks.contest import plots  # matplotlib is not needed for the page

    drawn = {SERIES.format(workload=name): plots.over_time(found, name) for name in with_series(found)}
    if pareto_shown(found):
        drawn[PARETO] = plots.pareto(found)
    return drawn


def write(page_path: Path = PAGE, plots_path: Path = PLOTS, found: Found | None = None) -> None:
    """The page and its plots; plots that it no longer shows are removed."""
    found = load() if found is None else found
    page_path.write_text(page(found))
    drawn = drawings(found)
    plots_path.mkdir(exist_ok=True)
    for old in plots_path.glob("*.svg"):
        if old.name not in drawn:
            old.unlink()
    for name, text in drawn.items():
        (plots_path / name).write_text(text)


if __name__ == "__main__":
    write()
