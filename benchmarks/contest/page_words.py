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

- **Same everything.** All contenders serve the same app, with the same cores and the same memory limit (real cgroups
  where the host has them), on loopback. Runs of one workload and seed stand next to each other in time, in an order
  drawn from the seed. All get the very same requests at the very same moments.
- **Open loop.** Requests leave by a schedule drawn in advance (Poisson), whatever the answers do. Times count from the
  scheduled moment, so a queue counts. A failed request is endlessly slow and late.
- **Adaptive** is this project with all its defaults, 2 workers at the start, the same for every workload.
- **Static oracle:** the best count of sync workers for that workload, found by a sweep with a seed of its own: the
  fewest late requests (within {LATE_TIE:.1%} of all is a tie), then the lowest p95 (within {P95_TIE:.0%}), then the
  fewest workers; on {" and ".join(BY_THROUGHPUT)}, where nearly all is late, the highest throughput (within
  {THROUGHPUT_TIE:.0%}). You only know it afterwards. Long loads are swept in less time, at the same rates.
- **2K + 1:** what Gunicorn's documentation advises for K cores. **{GUIDE_WORKERS} x {GUIDE_THREADS} threads:** gthread
  as guides set it. **Static maximum:** as many sync workers as the memory limit holds by a rule, {WORKER_BYTES >> 20}
  MiB each and {RESERVE_SHARE:.0%} left free (a worker of this app takes about 25); one seed only, but on the day.
- **Peers** are set as their documentation says. Some ran with one seed only: beside the rest, no part of any goal.
{_PEERS}
- **The load begins** when the count of workers, seen from outside, has been the same for a second.
- **Late:** answered more than 50 ms (250 ms) over the time that the request would have taken on an idle server.
  **Time to capacity:** from the step in load until the p95 of that excess stays under 150 ms.
- **Memory** is PSS of the whole server: master, workers, and our exporter. **CPU** is of the whole server, per
  answered request. An **action** is a change of the worker count; a **reversal** is one against the last within 60 s.
- **±** is half of a 95 % Student t interval over seeds. Adaptive is compared **paired by seed**: *better* or *worse*
  only when the whole interval of the paired difference says so, else *tie*. That interval is what we call noise.
  One pair has no interval and is never judged.
- **Never** is no number: no mean is taken over runs of which some never got there.
- A run in which the generator sent more than {MAX_LATE_SENT_SHARE:.1%} of the requests over
  {MAX_LATENESS_SECONDS * 1e3:.0f} ms late, or others used over {MAX_OTHERS_CORES:g} cores, is **invalid**: tried again,
  counted, never averaged.
"""
LIMITS = f"""## Limits, before any figure

- **One small machine.** The server has one part of its cores and the generator another (on a single core they share
  it). Ratios count, not absolute figures. What many cores, a network or a real database would change is not shown.
- **Our workloads, our app.** Most last seconds, not hours: what a worker costs that is kept for minutes hardly shows.
  The law was tuned on simulated servers, with steps, bursts and days among their loads: these shapes are no surprise
  to it. While this was built, `mixed` and `tail` with other seeds showed a fault in it (a service time learned from
  twenty quick requests), which was mended before the runs below; `pool` got its middle phase and its length then:
  after one step from 20 to 130 no verdict came, and it takes 24 s of overload. The seeds below were not looked at
  before.
- **Cold starts.** Every run begins with a server that has just started. A count that is right from the first second
  has nothing to learn; adaptive begins with 2 workers, and its first seconds are in every figure.
- **The leak** is more than the memory limit holds: who does not recycle is killed. The rivals' own remedies
  (max_requests, reload-on-rss) run beside it.
- **Few seeds** where runs are long. With 2 or 3 of them only a large difference can be told from noise: a tie there
  says little.
- **Many comparisons.** Each is at 95 %: of a hundred between equals, about five say better or worse by chance.
- **The oracle is a sweep** over a few counts, one short run each. A count between them may be better.
- **The rivals' other settings** are those of their documentation. Someone who tunes them for a workload may get more.
- **Sync workers** everywhere but in the guide's gthread and in the peers. Async workers are not in it.
- The pool is a small stand-in for a database with {POOL_SIZE} connections; queries take the same time at any load.
"""
GOALS = """## Goals

They were set before the first run. Within 5 % is judged by the means, noise or not: a miss within noise is a
miss, and says so.
"""
ORACLE = """### Beside the static oracle

Adaptive less the oracle, mean and interval of the paired differences. **Bold:** more than 5 % above; *noise*: so little
above these 5 % that the interval includes them.
"""
SCORE = """## Better, tie, worse

Adaptive beside each rival, paired by seed: by requests late > 50 ms / by p95. Less is better.
"""
COLUMNS = """Late and failed in % of requests; p50, p95, p99 in ms; *to capacity* in s; CPU in ms a request; *moves* are
actions / reversals a run; *runs* are valid of all. ± is half of the 95 % interval. The plots show one seed; a cross is
a second whose p95 is endless, as requests failed.
"""
LOSSES = """## Where adaptive loses

Every measure of what users feel in which the whole interval of the paired difference lies on the wrong side: adaptive
against the rival, and in brackets that interval. Ties and wins are left empty.
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
uWSGI behind a plain `proxy_pass` to its HTTP socket (its documentation prefers `uwsgi_pass`; over a UNIX socket it
cannot see its backlog). Sync workers keep no connections, as rendered. Kept connections hide a new worker from the
proxy until they are opened anew, so time to capacity is the figure to look at. [nginx, measured](nginx-measured.md)
tells more.
"""
CLOSED = """## Closed loop, by Locust

**A closed loop hides queueing:** its users wait for an answer before they ask again, so a slow server is asked less.
Nothing is judged by these figures; they are here because Locust is the tool that people know. Percentiles are of all
answers, failed ones included.
"""
INVALID = """## Invalid runs

A run that was spoilt is tried again. Spoilt tries are counted here, and in no figure above.
"""
AGAIN = """## Do it again

`make bench` runs everything and goes on where it was cut short; `make bench-quick` shows that it works in ten minutes.
"""
PARETO = """Memory against late requests, a panel for each workload: nearer to the lower left is better.
"""
