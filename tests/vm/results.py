"""What the tests in the machine told, as a document and as a table. Pure."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree


def document(junit: str, system: str) -> dict[str, Any]:
    """`junit` as pytest writes it; figures of a test are its properties."""
    tests = [case(element) for element in ElementTree.fromstring(junit).iter("testcase")]
    return {"system": system, "tests": tests}


def case(element: ElementTree.Element) -> dict[str, Any]:
    """One test."""
    outcome = next((one for one in ("failure", "error", "skipped") if element.find(one) is not None), "passed")
    said = element.find(outcome)
    return {
        "file": element.get("classname", "").rpartition(".")[2],
        "promise": promise(element.get("name", "")),
        "outcome": {"failure": "failed", "error": "failed"}.get(outcome, outcome),
        "why": "" if said is None else said.get("message", "").partition("\n")[0],
        "seconds": round(float(element.get("time", 0))),
        "figures": {one.get("name", ""): one.get("value", "") for one in element.iter("property")},
    }


def promise(name: str) -> str:
    """A test's name as a sentence; its parameters stay as they are."""
    words, bracket, parameters = name.removeprefix("test_").partition("[")
    return words.replace("_", " ") + (f" ({parameters.removesuffix(']')})" if bracket else "")


def text(told: dict[str, Any]) -> str:
    """For the terminal."""
    wide = max((len(one["promise"]) for one in told["tests"]), default=0)
    lines = [told["system"]]
    for one in told["tests"]:
        lines.append(f"{one['outcome']:8} {one['promise']:{wide}} {one['seconds']:4} s  {figures(one)}".rstrip())
        lines += [f"         {one['why'][:200]}"] if one["why"] else []
    passed = sum(one["outcome"] == "passed" for one in told["tests"])
    return "\n".join([*lines, f"{passed} of {len(told['tests'])} passed"])


def figures(one: dict[str, Any]) -> str:
    """Of one test, in a line."""
    return ", ".join(f"{name} {value}" for name, value in one["figures"].items())
