"""The tests of the virtual machine, run as they are, with the figures that they recorded."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.faults.options import ROOT, NotRunError, Options, Tell

RAN = (0, 1)
"""Exit codes of `python -m tests.vm` when it ran its tests: all passed, some failed."""


def minutes(_options: Options) -> float:
    """What the cell takes where the machine is emulated; a third of it with KVM."""
    return 30.0


def run(_options: Options, tell: Tell) -> dict[str, Any]:
    """Its output goes where ours goes; a test that fails is a row of the table."""
    tell("vm: python -m tests.vm")
    with tempfile.TemporaryDirectory(prefix="autotune-") as folder:
        results = Path(folder) / "results.json"
        command = [sys.executable, "-m", "tests.vm", "--results", str(results)]
        told = subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False)
        if told.returncode not in RAN:
            raise NotRunError(f"python -m tests.vm ended with {told.returncode}")
        found: dict[str, Any] = json.loads(results.read_text())
    return found
