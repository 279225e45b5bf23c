"""Memory that autotune adds: in the arbiter against bare Gunicorn's, in the exporter, and over the whole server."""

from __future__ import annotations

import time
from statistics import median

from benchmarks.demo_server import Server, gunicorn
from benchmarks.micro import proc
from benchmarks.micro.options import Options, Tell
from benchmarks.micro.report import CaseResult, Goal, Measured
from benchmarks.micro.status import get

CONFIG = ["workers = 4", "preload_app = True"]
SETTINGS = {"min_workers": 4, "max_workers": 16}
MIB = 1 << 20


def measure(options: Options, tell: Tell) -> CaseResult:
    """MiB, from smaps_rollup of both servers after a while of ticks, a scrape and a little load."""
    rounds, settle_seconds = options.some(4, 1), options.some(12, 1)
    arbiter, arbiter_pss, exporter, whole, bare_uss = [], [], [], [], []
    for number in range(rounds):
        with gunicorn(CONFIG) as bare, gunicorn(CONFIG, SETTINGS) as tuned:
            for server in (bare, tuned):
                for _ in range(40):
                    get(server.port, "/")
            for _ in range(4):
                get(tuned.metrics_port, "/metrics")
            time.sleep(settle_seconds)
            (pid,) = proc.exporters(tuned.pid)
            theirs, ours = proc.memory_bytes(bare.pid), proc.memory_bytes(tuned.pid)
            bare_uss.append(theirs["uss"] / MIB)
            arbiter.append((ours["uss"] - theirs["uss"]) / MIB)
            arbiter_pss.append((ours["pss"] - theirs["pss"]) / MIB)
            exporter.append(proc.memory_bytes(pid)["uss"] / MIB)
            whole.append((pss_of_all(tuned) - pss_of_all(bare)) / MIB)
        tell(f"round {number + 1} of {rounds}: arbiter +{arbiter[-1]:.2f} MiB, exporter {exporter[-1]:.1f} MiB")
    return CaseResult(
        (
            Measured(
                "arbiter, private pages (USS), above bare Gunicorn", "MiB", tuple(arbiter), Goal(3),
                yardstick=f"bare Gunicorn's arbiter: median {median(bare_uss):.1f} MiB",
                note="pages the workers inherited are shared, not private, and not in it: see the sum of PSS",
            ),
            Measured("exporter, private pages (USS)", "MiB", tuple(exporter), Goal(20)),
            Measured("whole server, 4 workers (sum of PSS), above bare Gunicorn", "MiB", tuple(whole),
                     note="exporter included; shared pages divided by their sharers"),
            Measured("arbiter alone (PSS), above bare Gunicorn", "MiB", tuple(arbiter_pss)),
        ),
        (f"gunicorn ({'; '.join(CONFIG)}) in example_app/, with and without install(globals(), {SETTINGS})",),
    )  # fmt: skip


def pss_of_all(server: Server) -> int:
    """Of the arbiter, all its children and the exporter."""
    pids = (server.pid, *proc.children(server.pid), *proc.exporters(server.pid))
    return sum(proc.memory_bytes(pid)["pss"] for pid in pids)
