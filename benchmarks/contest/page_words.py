"""The prose of docs/benchmarks.md. Every figure in it is a constant of the method, none is a result."""

from __future__ import annotations

from benchmarks.contest.contenders import GUIDE_THREADS, GUIDE_WORKERS, RESERVE_SHARE, WORKER_BYTES
from benchmarks.contest.figures import MAX_LATE_SENT_SHARE, MAX_LATENESS_SECONDS, MAX_OTHERS_CORES
from benchmarks.contest.jobs import BY_THROUGHPUT, LATE_TIE, P95_TIE, THROUGHPUT_TIE
from benchmarks.contest.peers import PEERS
from benchmarks.contest.workloads import POOL_SIZE

HEAD = """# Benchmarks: is it better than static tuning and its peers, on real servers?

<!-- Written by `python -m benchmarks.contest --page` from benchmarks/results/contest.json; a test holds it fresh. -->
"""
NOTHING = """**Not run yet.** There are no results to render: `make bench` takes them.
"""
_PEERS = "\n".join(f"  - {one.title}" for one in PEERS)
METHOD = f"""## Method

- **The same for everybody:** app, cores, memory limit, loopback, and the very same requests at the same moments.
- **Open loop.** Requests leave by a schedule drawn in advance (Poisson). Times count from the scheduled moment, so a
  queue counts. A failed request is endlessly slow and late.
- **Adaptive** is this project with all its defaults and 2 workers at the start.
- **Static oracle:** the best count of sync workers for that workload, found by a sweep with a seed of its own: fewest
  late requests (within {LATE_TIE:.1%} is a tie), then lowest p95 (within {P95_TIE:.0%}), then fewest workers. On
  {" and ".join(BY_THROUGHPUT)} the highest throughput decides (within {THROUGHPUT_TIE:.0%}). It is known
  afterwards only.
- **2K + 1** is what Gunicorn's documentation advises for K cores. **{GUIDE_WORKERS} x {GUIDE_THREADS} threads** is
  gthread as guides set it. **Static maximum:** the sync workers that memory holds at {WORKER_BYTES >> 20} MiB each with
  {RESERVE_SHARE:.0%} left free.
- **Peers** are set as their documentation says. Those with one seed only are not judged.
{_PEERS}
- **Late:** answered more than 50 ms (250 ms) later than an idle server would have.
  **Time to capacity:** from the step in load until the p95 of that excess stays under 150 ms.
- **Memory** is PSS of the whole server, our exporter included. **CPU** is per answered request. An **action** is a
  change of the worker count, a **reversal** one against the last within 60 s.
- **±** is half of a 95 % Student t interval over seeds. *Better* and *worse* mean that the whole interval of the
  difference, paired by seed, says so; else it is a *tie*. One pair is never judged.
- **Never** is no number, so no mean is taken where it occurs.
- A run is **invalid** if the generator sent more than {MAX_LATE_SENT_SHARE:.1%} of the requests over
  {MAX_LATENESS_SECONDS * 1e3:.0f} ms late, or others used over {MAX_OTHERS_CORES:g} cores. It is counted and tried
  again.
"""
LIMITS = f"""## Limits, before any figure

- **One small machine**, shared by server and generator. Ratios count, not absolute figures.
- **Our workloads, our app.** Most last seconds. The law was tuned on simulated servers with similar shapes. Earlier
  runs of `mixed`, `tail` and `pool` with other seeds led to changes; the seeds below were not looked at before.
- **Cold starts.** Adaptive begins with 2 workers, and its first seconds are in every figure.
- **The leak** is more than the memory limit holds. The rivals' own remedies run beside it.
- **Few seeds** where runs are long: a tie there says little.
- **Many comparisons.** Of a hundred between equals, about five say better or worse by chance.
- **The oracle** is a sweep over a few counts, one short run each.
- **Other settings** of the rivals may do better than those of their documentation.
- **Sync workers** everywhere but in the guide's gthread and the peers.
- The pool is a stand-in for a database with {POOL_SIZE} connections.
"""
GOALS = """## Goals

They were set before the first run. "Within 5 %" is judged by the means: a miss within noise is a miss, and says so.
"""
ORACLE = """### Beside the static oracle

Adaptive less the oracle, with the interval of the paired differences. **Bold:** more than 5 % above. *Noise:* the
interval includes these 5 %.
"""
SCORE = """## Better, tie, worse

Adaptive beside each rival, paired by seed: by requests late > 50 ms / by p95. Less is better.
"""
COLUMNS = """Late and failed in % of requests; p50, p95, p99 in ms; *to capacity* in s; CPU in ms a request; *moves* are
actions / reversals a run; *runs* are valid of all. The plots show one seed; a cross is a second with
failed requests.
"""
LOSSES = """## Where adaptive loses

Only differences whose whole interval lies on the wrong side: adaptive against the rival, and the interval in brackets.
"""
ONCE = """### One pair only

Adaptive / rival, no verdict: one pair says nothing about chance.
"""
SPENT = """### What it spends

GB-seconds / CPU a request, adaptive's over the rival's, ratios of means. **Bold:** adaptive spends more by more than
noise.
"""
NGINX = """## Behind nginx

The same through a real nginx: ours behind what `nginx render` writes, the guides' servers behind the guides' lines,
uWSGI behind a plain `proxy_pass`. Kept connections hide a new worker from the proxy, so look at time to capacity.
More is in [nginx, measured](nginx-measured.md).
"""
CLOSED = """## Closed loop, by Locust

**A closed loop hides queueing:** its users wait for an answer before they ask again, so a slow server is asked less.
Nothing is judged by these figures.
"""
INVALID = """## Invalid runs

A spoilt run is tried again. Spoilt tries are counted here and in no figure above.
"""
AGAIN = """## Do it again

`make bench` runs everything and goes on where it was cut short; `make bench-quick` shows that it works in ten minutes.
"""
PARETO = """Memory against late requests, a panel for each workload: nearer to the lower left is better.
"""
