"""The sentences and lists of docs/benchmarks.md that are made from figures. Pure."""

from __future__ import annotations

from collections import Counter
from math import exp, log

from benchmarks.contest import goals
from benchmarks.contest.beside import LATE, MEMORY, all_beside
from benchmarks.contest.cells import count
from benchmarks.contest.intervals import BETTER, EVEN, UNKNOWN, WORSE
from benchmarks.contest.roles import MOST, NAMES, RIVALS, Found

IN_SHORT = """**In short.** Adaptive, with nothing tuned, by the share of requests answered more than 50 ms late:"""
NAMED_LOSSES = 4
"""With more of them, the list of losses has the names."""


def answer(found: Found) -> list[str]:
    """One paragraph: wins, ties and losses, memory, goals."""
    counted = [one for one in (_against(found, part) for part in RIVALS) if one]
    if not counted:
        return ["**No rival has two paired runs yet, so nothing is judged.** " + _goals(found), ""]
    return [f"{IN_SHORT} {'; '.join(counted)}. {_once(found)}{_memory(found)}{_goals(found)}", ""]


def _against(found: Found, part: str) -> str:
    """`beside 2K + 1 better on 8, tied on 2, worse on 1 of 11 (leak)`; empty without two pairs anywhere."""
    seen = [one for one in all_beside(found, part, [LATE]) if one.word != UNKNOWN]
    words = Counter(one.word for one in seen)
    if not seen:
        return ""
    lost = [one.workload for one in seen if one.word == WORSE]
    which = f" ({', '.join(lost)})" if 0 < len(lost) <= NAMED_LOSSES else ""
    return (
        f"beside **{NAMES[part]}** better on {words[BETTER]}, tied on {words[EVEN]}, worse on {words[WORSE]} of "
        f"{count(len(seen), 'workload')}{which}"
    )


def _once(found: Found) -> str:
    """Who ran, but nowhere twice."""
    pairs = {part: [one.word for one in all_beside(found, part, [LATE])] for part in RIVALS}
    names = [NAMES[part] for part, words in pairs.items() if words and set(words) == {UNKNOWN}]
    return f"Not judged, as they have one run a workload: {', '.join(names)}. " if names else ""


def _memory(found: Found) -> str:
    """Geometric mean over workloads: each counts alike."""
    ratios = {one.workload: one.ratio for one in all_beside(found, MOST, [MEMORY]) if one.ratio}
    if not ratios:
        return ""
    middle = exp(sum(log(one) for one in ratios.values()) / len(ratios))
    ranked = sorted(ratios, key=lambda name: ratios[name])
    least, most = ranked[0], ranked[-1]
    return (
        f"It took {middle:.2f} times the memory of the static maximum (one seed, geometric mean of "
        f"{count(len(ratios), 'workload')}; "
        f"{ratios[least]:.2f} on {least}, {ratios[most]:.2f} on {most}). "
    )


def _goals(found: Found) -> str:
    words = Counter(one.met for one in goals.verdicts(found))
    return f"Of {words.total()} goals {words[True]} are met, {words[False]} missed, {words[None]} not measured."
