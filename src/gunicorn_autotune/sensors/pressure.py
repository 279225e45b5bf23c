"""PSI: the share of time tasks stood still for want of cpu, memory or io. Kernel: Documentation/accounting/psi.rst."""

from __future__ import annotations

import re
from pathlib import Path

from gunicorn_autotune.model.readings import Missing, PressureReading, Reading
from gunicorn_autotune.sensors.files import garbage, read_text

_LINE = re.compile(r"^(some|full) avg10=(\d{1,3}\.\d\d) .*total=(\d{1,20})$", re.ASCII | re.MULTILINE)


def read_pressure(resource: str, cgroup: str | None, proc: Path | str = Path("/proc")) -> Reading[PressureReading]:
    """Pressure on `resource` (cpu, memory, io) in the directory `cgroup`, else of the whole host.

    Missing where the kernel keeps none: built without PSI, booted with psi=0 (the files answer EOPNOTSUPP), or hidden.
    """
    paths = [f"{proc}/pressure/{resource}"]
    if cgroup is not None:
        paths.insert(0, f"{cgroup}/{resource}.pressure")
    reasons = []
    for path in paths:
        text = read_text(path)
        reading = text if isinstance(text, Missing) else parse_pressure(text) or garbage(path, text)
        if not isinstance(reading, Missing):
            return reading
        reasons.append(reading.why)
    return Missing("; ".join(reasons))


def parse_pressure(text: str) -> PressureReading | None:
    """Seconds and shares from `some avg10=1.50 avg60=... avg300=... total=<us>` and the `full` line; None for garbage.

    cpu.pressure has no `full` line before Linux 5.13.
    """
    lines = {kind: (float(percent) / 100, int(total_us) / 1e6) for kind, percent, total_us in _LINE.findall(text)}
    if "some" not in lines:
        return None
    some_share, some_seconds = lines["some"]
    full_share, full_seconds = lines.get("full", (Missing("no full line in the PSI file"),) * 2)
    return PressureReading(
        some_seconds=some_seconds,
        full_seconds=full_seconds,
        some_avg10_share=min(1.0, some_share),
        full_avg10_share=full_share,
    )
