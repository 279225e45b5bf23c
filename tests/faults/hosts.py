"""A host made of plain files, read by the server's sensors in place of the real one that no test can break."""

from __future__ import annotations

LIMIT_BYTES = 256 << 20

FIXTURE_HOST = f"""
from pathlib import Path
from gunicorn_autotune.sensors import cgroup
root = Path("host")
if not root.exists():
    (root / "proc/self").mkdir(parents=True); (root / "cg/app").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text("0::/app\\n")
    (root / "proc/self/mountinfo").write_text("30 1 0:26 / /cg rw - cgroup2 cgroup2 rw\\n")
    (root / "proc/meminfo").write_text("MemTotal: 4194304 kB\\nMemAvailable: 4000000 kB\\n")
    for name, text in (("memory.max", "{LIMIT_BYTES}"), ("memory.current", "1000"), ("memory.stat", "inactive_file 0"),
                       ("memory.events", "oom_kill 0"), ("cpu.max", "200000 100000"),
                       ("cpu.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=5"),
                       ("cgroup.controllers", "cpu memory")):
        (root / "cg/app" / name).write_text(text + "\\n")
find = cgroup.find_cgroup
cgroup.find_cgroup = lambda root=Path("host").resolve(): find(root)
"""
"""Config text: a v2 host in the folder `host`, its cgroup `host/cg/app` with 256 MiB and two cores."""
