"""Where it was measured: hardware, versions, and how busy the machine was."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("gunicorn", "gunicorn-autotune", "flask", "prometheus-client")


def describe() -> dict[str, str]:
    """One line of text for each fact."""
    facts = {
        "cpu": cpu_model(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }
    facts |= {name: installed(name) for name in PACKAGES}
    facts["wrk"] = wrk_version()
    facts["load_average"] = "{:.2f} {:.2f} {:.2f}".format(*os.getloadavg())
    return facts


def cpu_model() -> str:
    """As the kernel names it."""
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def installed(package: str) -> str:
    """Its version, or `not installed`."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def wrk_version() -> str:
    """`wrk 4.1.0`'s number, or `not installed`."""
    if not shutil.which("wrk"):
        return "not installed"
    told = subprocess.run(["wrk", "-v"], capture_output=True, text=True, timeout=10, check=False)
    found = re.search(r"wrk\s+(\S+)", told.stdout + told.stderr)
    return found[1] if found else "unknown version"
