"""The fault suite, run as it is, with the requests that its steady load sent and those that failed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from benchmarks.faults.options import ROOT, NotRunError, Options, Tell

FIGURES = "AUTOTUNE_STEADY_FIGURES"
SUITE = "tests/faults"
LONGEST_SECONDS = 1800.0


def minutes(_options: Options) -> float:
    """What the cell takes."""
    return 4.0


def run(options: Options, tell: Tell) -> dict[str, Any]:
    """One pytest over all of it; its failures are figures, not an end."""
    tell(f"suite: pytest {SUITE} on gunicorn {options.gunicorn}")
    with tempfile.TemporaryDirectory(prefix="autotune-") as folder:
        xml, figures = Path(folder) / "junit.xml", Path(folder) / "steady.jsonl"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", SUITE, f"--junitxml={xml}"]
        environment = os.environ | {FIGURES: str(figures), "AUTOTUNE_TEST_PYTHON": options.python}
        try:
            told = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise NotRunError(f"pytest {SUITE} did not end within {LONGEST_SECONDS:.0f} s") from None
        if not xml.exists():
            raise NotRunError(f"pytest {SUITE}: {(told.stderr or told.stdout).strip().splitlines()[-1]}")
        files = by_file(xml.read_text(), figures.read_text() if figures.exists() else "")
    for name, one in files.items():
        tell(
            f"    {name}: {one['passed']} passed, {one['not_passed']} not; {one['failed']} of {one['requests']} failed"
        )
    return {"files": files}


def by_file(junit: str, figures: str) -> dict[str, dict[str, Any]]:
    """Tests that passed, did not, or were skipped, with the steady load's requests, of each file."""
    files: dict[str, dict[str, Any]] = {}
    for case in ElementTree.fromstring(junit).iter("testcase"):
        one = files.setdefault(case.get("classname", "").rpartition(".")[2], _nothing())
        if case.find("failure") is not None or case.find("error") is not None:
            one["not_passed"] += 1
            one["names"].append(case.get("name", ""))
        else:
            one["skipped" if case.find("skipped") is not None else "passed"] += 1
    for line in figures.splitlines():
        told = json.loads(line)
        one = files.setdefault(Path(told["test"].partition("::")[0]).stem, _nothing())
        one["requests"] += told["requests"]
        one["failed"] += len(told["failed"])
        one["examples"] = (one["examples"] + told["failed"])[:5]
    return dict(sorted(files.items()))


def _nothing() -> dict[str, Any]:
    return {"passed": 0, "not_passed": 0, "skipped": 0, "requests": 0, "failed": 0, "names": [], "examples": []}
