"""Who goes first when memory runs out: a worker, then the exporter, and the arbiter last.

The kernel kills the process with the most memory, plus oom_score_adj thousandths of what may be used (oom_badness() in
mm/oom_kill.c). All processes of a server inherit one adjustment, and the arbiter is often the largest: without it the
site is gone, without a worker one request. Raising one's own needs no privilege; lowering the arbiter's would.
"""

from __future__ import annotations

from pathlib import Path

WORKER_STEP = 300
"""A worker goes before an arbiter that is larger by up to 30 % of the limit. More would offer it up for a neighbour
that leaks, where the whole machine runs short."""
EXPORTER_STEP = 150
"""Half way: losing it costs a gap in the metrics."""
MOST = 1000
NEVER = -1000
"""Who is exempt stays so, with all it starts: somebody wrote that."""
OWN = Path("/proc/self/oom_score_adj")


def go_before(step: int, own: Path = OWN) -> None:
    """Raise this process's adjustment, and that of all it will start, by `step`.

    Raises OSError where the kernel or a read-only /proc does not let us.
    """
    inherited = int(own.read_text())
    if inherited > NEVER:
        own.write_text(str(min(MOST, inherited + step)))
