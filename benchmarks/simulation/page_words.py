"""The prose of docs/evidence.md. Every figure in it is a constant of the method, none is a result."""

from __future__ import annotations

from benchmarks.simulation import drawn
from benchmarks.simulation.peers import MAX_WORKERS, MIN_WORKERS
from benchmarks.simulation.peers.clairvoyant import KEEP_SECONDS
from benchmarks.simulation.peers.static import SWEEP
from benchmarks.simulation.tally import RESAMPLES

HEAD = """# Evidence: the law beside what others do

<!-- Written by `python -m benchmarks.simulation.page` from results/simulation.json; a test holds it fresh. -->

**The question.** Does a server sized by this law keep requests from waiting as well as the best that is known, with
less memory and fewer changes? Every controller below serves the same arrivals on the same simulated server. Real
servers are in [benchmarks](benchmarks.md).
"""

METHOD = f"""## Method

- **Simulated servers** in fake time. K cores are shared equally, boots compete for them, the listen queue holds 2048, a
  database is a pool or slows down with concurrency.
- **Bounds:** {MIN_WORKERS} to {MAX_WORKERS} workers, {MIN_WORKERS} at the start, 40 MiB each. A static count starts
  with all of its workers and never pays for a boot.
- **Peers** are written from their sources, with their defaults (`benchmarks/simulation/peers/`). They act once a second
  (Knative every 2 s), ours four times.
- **Static oracle:** the best single count, found afterwards for each workload, of
  {", ".join(str(count) for count in SWEEP)}.
- **Dynamic oracle:** knows the rate of every second to come and boots ahead; it keeps what the next {KEEP_SECONDS} s
  need. It does not know single arrivals and drains no queue.
- **Late:** waited over 100 ms for a worker, or dropped. **Slow:** answered over 100 ms later than alone on the machine,
  or dropped. With a full CPU late is unfair to a law that keeps requests out of it; slow is fair.
- **Excess:** share less the least share that any controller, oracles included, got in that workload, in percentage
  points. **Above peers' best:** the same beside only what one can install.
- **Intervals** are 95 % bootstrap intervals of the mean over workloads, {RESAMPLES} resamples.
- **Supply:** ready workers missing, or too many, in shares of the Erlang-C need of each second (SPEC RG's accuracy).
  The same idea is behind our law, so it favours it.
"""

LIMITS = """## Limits, before any figure

- The simulator, the workloads and the peers' code are ours. There is no network and no kernel's choice of worker in it.
- The law was tuned on the tuning seeds **and on the named scenarios**. Only the fresh seeds were kept apart.
- The random set says what we drew, not what the world runs. Light loads and idle servers are rare in it.
- Ten minutes are short: a worker kept for 300 s is seldom let go.
- Memory has no price in late and slow. See what it cost.
- uWSGI's boots are cheaper than here when it forks from a loaded master. Knative boots pods elsewhere; the variant with
  our boot limit is the fair one.
"""

RANDOM = f"""- {drawn.SECONDS} s each, on 1 to 4 cores (K).
- A request takes 10 ms to 1 s, 0.02 to 1 of it CPU, both log-uniform; constant, exponential or heavy (squared CV 4).
- Boots of {", ".join(f"{one:g}" for one in drawn.BOOT_CPU_SECONDS)} CPU seconds.
- Steps, ramps and days, bursts, noise, or one jump. The peak is {drawn.PEAK_ERLANGS[0]:g} to {drawn.PEAK_ERLANGS[1]:g}
  Erlangs, log-uniform, and at most {drawn.PEAK_CPU_SHARE:g} K cores and {drawn.PEAK_RATE:g} requests a second.
- A quarter has a connection pool or a database that slows down, {drawn.PEAK_DATABASE_SHARE[0]:g} to
  {drawn.PEAK_DATABASE_SHARE[1]:g} of its capacity used at the peak.

Nearer to the lower left is better; bars are 95 % intervals.
"""

NOT_FRESH = """**Not evidence:** these seeds were looked at while the law was tuned. They show that everything runs."""

FELT = """Late and slow in %, excess in points:
"""

LOSSES = """By the excess of late requests, the worst first.
"""

BESIDE_PEERS = """Slow requests beside the best of the peers one can install, no oracle and no 64 workers:
"""

NAMED = """Each asks one question; mean over seeds {low} to {high}. The law was tuned on these, so read them as a
description, not as proof.
"""
