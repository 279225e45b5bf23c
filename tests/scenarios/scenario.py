"""One story: an application, a machine, a load, what changes, and the ranges its figures must stay in.

Read from a TOML file of this folder. A key that is not known is an error that names file and key, so that a range
with a typo cannot pass for ever.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from gunicorn_autotune.model.decisions import Bottleneck, Reason
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.testing import Application, Change, Load, Machine
from tests.scenarios.parts import (
    ScenarioError,
    application_of,
    changes_of,
    load_of,
    machine_of,
    merged,
    only,
    policy_of,
    said,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).parent
RUN_FIGURES = (
    "late_share", "slow_share", "p95_response_seconds", "throughput", "mean_workers", "worker_seconds", "peak_target",
    "final_target", "actions", "reversals", "dropped", "oom_kills", "failed_boots",
)  # fmt: skip
"""Figures of a whole run."""
PHASE_FIGURES = ("late_share", "throughput", "mean_target", "highest_target", "lowest_target", "final_target",
                 "lowest_ready")  # fmt: skip
"""Figures of a part of it; `late_share` is that of the requests that arrived in it."""


@dataclass(frozen=True, slots=True)
class Range:
    """Allowed values, both ends included."""

    at_least: float = -math.inf
    at_most: float = math.inf

    def __contains__(self, figure: float) -> bool:
        return self.at_least <= figure <= self.at_most

    def __str__(self) -> str:
        if self.at_least == self.at_most:
            return f"= {self.at_least:g}"
        if self.at_least == -math.inf:
            return f"<= {self.at_most:g}"
        return f">= {self.at_least:g}" if self.at_most == math.inf else f"{self.at_least:g}..{self.at_most:g}"


@dataclass(frozen=True, slots=True)
class Words:
    """Words that must be said at some time, and words that must never be."""

    must_appear: tuple[str, ...] = ()
    must_not_appear: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recovery:
    """The last late request of `within` seconds after a step arrives in this range of seconds after it."""

    after: float
    within: float
    allowed: Range


@dataclass(frozen=True, slots=True)
class Phase:
    """Ranges for a part of the run; `verdict`: the bottleneck named most of the time is one of these."""

    begins: float
    ends: float
    ranges: Mapping[str, Range]
    verdict: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.begins:g}-{self.ends:g} s"


@dataclass(frozen=True, slots=True)
class Expected:
    """What is right."""

    ranges: Mapping[str, Range]
    recovered: tuple[Recovery, ...] = ()
    verdicts: Words = Words()
    reasons: Words = Words()
    phases: tuple[Phase, ...] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """One story, ready to run."""

    name: str
    title: str
    story: str
    application: Application
    machine: Machine
    policy: Policy
    load: Load
    expected: Expected
    changes: tuple[Change, ...] = ()
    seeds: tuple[int, ...] = (1,)
    workers: int = 2


_TOP = ("title", "story", "seeds", "workers", "application", "machine", "policy", "load", "change", "expected")


def all_scenarios(folder: Path = FOLDER) -> list[Scenario]:
    """Every scenario of every file, by name."""
    return [scenario for path in sorted(folder.glob("*.toml")) for scenario in scenarios_of(path)]


def scenarios_of(path: Path) -> list[Scenario]:
    """The scenarios of one file: one, or one for each [[variant]] laid over the rest."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{path.name}: {error}") from None
    variants = table.pop("variant", None)
    if variants is None:
        return [_scenario(path.name, path.stem, table)]
    return [_variant(path, table, dict(variant)) for variant in variants]


def _variant(path: Path, table: Mapping[str, Any], variant: dict[str, Any]) -> Scenario:
    if "name" not in variant:
        raise ScenarioError(f"{path.name}: variant has no name")
    name = variant.pop("name")
    return _scenario(path.name, f"{path.stem}/{name}", merged(table, variant))


def _scenario(file: str, name: str, table: Mapping[str, Any]) -> Scenario:
    only(file, "", table, _TOP)
    missing = [key for key in ("title", "story", "load", "expected") if key not in table]
    if missing:
        raise ScenarioError(f"{file}: {missing[0]} is missing")
    application = application_of(file, "application", Application(), table.get("application", {}))
    machine = machine_of(file, "machine", Machine(), table.get("machine", {}))
    return Scenario(
        name=name,
        title=str(table["title"]),
        story=str(table["story"]).strip(),
        application=application,
        machine=machine,
        policy=policy_of(file, machine, table.get("policy", {})),
        load=load_of(file, table["load"]),
        expected=_expected(file, table["expected"]),
        changes=changes_of(file, application, machine, table.get("change", ())),
        seeds=tuple(table.get("seeds", (1,))),
        workers=int(table.get("workers", 2)),
    )


def _expected(file: str, table: Mapping[str, Any]) -> Expected:
    only(file, "expected", table, (*RUN_FIGURES, "recovered", "verdicts", "reasons", "phase"))
    return Expected(
        ranges=_ranges(file, "expected", table, RUN_FIGURES),
        recovered=tuple(_recovery(file, one) for one in table.get("recovered", ())),
        verdicts=_words(file, "expected.verdicts", table.get("verdicts", {}), Bottleneck),
        reasons=_words(file, "expected.reasons", table.get("reasons", {}), Reason),
        phases=tuple(_phase(file, one) for one in table.get("phase", ())),
    )


def _ranges(file: str, where: str, table: Mapping[str, Any], figures: tuple[str, ...]) -> dict[str, Range]:
    return {name: _range(file, f"{where}.{name}", table[name]) for name in figures if name in table}


def _range(file: str, where: str, value: Any) -> Range:
    if isinstance(value, (int, float)):
        return Range(value, value)
    if not isinstance(value, Mapping) or not value:
        raise ScenarioError(f"{file}: {where} = {value!r}: must be a number, or at_least and at_most")
    only(file, where, value, ("at_least", "at_most"))
    return Range(**value)


def _recovery(file: str, table: Mapping[str, Any]) -> Recovery:
    only(file, "expected.recovered", table, ("after", "within", "at_least", "at_most"))
    bounds = {key: table[key] for key in ("at_least", "at_most") if key in table}
    return Recovery(table["after"], table.get("within", 60.0), _range(file, "expected.recovered", bounds))


def _words(file: str, where: str, table: Mapping[str, Any], vocabulary: type[Enum]) -> Words:
    only(file, where, table, ("must_appear", "must_not_appear"))
    words = Words(tuple(table.get("must_appear", ())), tuple(table.get("must_not_appear", ())))
    said(file, where, words.must_appear + words.must_not_appear, vocabulary)
    return words


def _phase(file: str, table: Mapping[str, Any]) -> Phase:
    only(file, "expected.phase", table, (*PHASE_FIGURES, "from", "to", "verdict"))
    begins, ends, verdict = table.get("from", 0.0), table.get("to", 0.0), tuple(table.get("verdict", ()))
    if not begins < ends:
        raise ScenarioError(f"{file}: expected.phase: from = {begins:g}, to = {ends:g}: must be rising")
    said(file, "expected.phase.verdict", verdict, Bottleneck)
    return Phase(begins, ends, _ranges(file, "expected.phase", table, PHASE_FIGURES), verdict)
