"""What the tests in the machine told, as a document that is kept and as a table. Pure but for `keep`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

KEPT = Path(__file__).parents[2] / "benchmarks" / "results" / "vm.json"


def document(junit: str, accelerator: str, machine: str, taken: str) -> dict[str, Any]:
    """`junit` as pytest writes it; figures of a test are its properties."""
    tests = [case(element) for element in ElementTree.fromstring(junit).iter("testcase")]
    return {"taken": taken, "accelerator": accelerator, "machine": machine, "tests": tests}


def case(element: ElementTree.Element) -> dict[str, Any]:
    """One test."""
    outcome = next((one for one in ("failure", "error", "skipped") if element.find(one) is not None), "passed")
    said = element.find(outcome)
    return {
        "file": element.get("classname", "").rpartition(".")[2],
        "test": element.get("name", ""),
        "outcome": {"failure": "failed", "error": "failed"}.get(outcome, outcome),
        "why": "" if said is None else said.get("message", "").partition("\n")[0],
        "seconds": round(float(element.get("time", 0))),
        "figures": {one.get("name", ""): one.get("value", "") for one in element.iter("property")},
    }


def text(told: dict[str, Any]) -> str:
    """For the terminal."""
    wide = max((len(one["test"]) for one in told["tests"]), default=0)
    lines = [f"{told['machine']} ({told['accelerator']})"]
    for one in told["tests"]:
        lines.append(f"{one['outcome']:8} {one['test']:{wide}} {one['seconds']:4} s  {figures(one)}".rstrip())
        lines += [f"         {one['why'][:200]}"] if one["why"] else []
    passed = sum(one["outcome"] == "passed" for one in told["tests"])
    return "\n".join([*lines, f"{passed} of {len(told['tests'])} passed"])


def figures(one: dict[str, Any]) -> str:
    """Of one test, in a line."""
    return ", ".join(f"{name} {value}" for name, value in one["figures"].items())


def keep(told: dict[str, Any], path: Path = KEPT) -> None:
    """One line a test, so that a change can be read."""
    path.write_text(json.dumps(told, separators=(",", ":")).replace('{"file"', '\n{"file"') + "\n")
