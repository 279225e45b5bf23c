"""The words around the figures of docs/reliability.md."""

from __future__ import annotations

from benchmarks.faults import leak, proxy, recycle, soak
from benchmarks.faults.arithmetic import FLAT_ERRORS, FLAT_SHARE_A_DAY
from benchmarks.faults.chaos import cell as chaos
from benchmarks.faults.chaos import disturbances, streams

HEAD = """# What users keep when things go wrong

<!-- Written by `python -m benchmarks.faults --page` from benchmarks/results/faults.json; a test holds it fresh. -->

**The question.** Workers leak, are recycled, die. How many requests are lost, how many wait, and how far does the
number of ready workers fall? Beside ours stands what Gunicorn does by itself, in the same run.
"""
METHOD = f"""## Method

- Real Gunicorn on loopback, a real memory cgroup, real nginx. Requests leave on schedule; latency counts from the
  scheduled moment. **Failed** is every request without a 2xx within 30 s.
- Gunicorn's own way runs with autotune in `mode = observe`, so the same sensor and hooks count both.
- **Lowest ready** is the lower of two counts: notes of hooks, and `/status.json` ten times a second.
- The app takes {leak.BOOT_SECONDS:g} s to boot (asleep) and is not preloaded. It notes each request that it begins.
- **To send again** are GETs that got no byte of an answer on a connection used before, and that the app never saw:
  browsers send those again (RFC 9110, 9.2.2). A POST in that state counts as failed.
"""
LIMITS = """## Limits

- Generator, observer and server share one small machine; compare times within a run only.
- One run each. A 0 of n says that the true share is below 3 / n with 95 % confidence.
- The leak is steady. A sudden jump of hundreds of MiB, a hanging worker and hosts without a cgroup are not in it.
- Requests inside a process that is itself killed are lost with any server.
"""
CELLS = {
    "leak": f"""A leak

Every request keeps {leak.KEPT_BYTES / 1024:.0f} KiB for good (1 MiB in 20 requests) after 20 ms of waiting;
{leak.RATE:g} requests/s, new connection each, GETs. Memory is the group's use less the file pages it can drop.
""",
    "recycle": f"""Recycles

{recycle.RATE:g} requests/s, every {recycle.POSTS_EVERY}nd a POST of 64 bytes, {recycle.WAIT_SECONDS * 1e3:g} ms of
waiting each, {recycle.WORKERS} workers, `max_requests` {recycle.MAX_REQUESTS}, jitter {recycle.JITTER}: about one
worker a second is due, far more often than on any site. Ours may
use up to {2 * recycle.WORKERS} workers and has its brakes off (`recycle_gap_seconds` 0, `recycles_per_hour` 36000,
`recycle_lifetime_seconds` 0, `tick_seconds` 0.1). gthread has 4 threads. nginx is told
`{proxy.POOL}` and `proxy_next_upstream off`, so that it hides nothing;
gunicorn's keepalive is 10 s. **Decided** are the recycles that ours began; a worker that it did not get to in time
leaves by itself, drawn between two and three times its `max_requests`.
""",
    "suite": """The fault suite

`tests/faults` breaks one thing at a time: workers, exporter, tick, sensors, forks, ports. Beside some of the faults a
steady load runs, and its requests are counted here.
""",
    "vm": """In a virtual machine

`make test-vm` boots a Debian 12 with systemd and cgroup v2 alone, and runs there what needs them: limits that change,
memory that runs short, the units of `gunicorn-autotune init`, podman. 2 cores, 2 GiB, no swap. An emulated
machine is about ten times slower than its host: compare these figures only with each other.
""",
    "soak": f"""The soak

The example site, 2 to 16 workers, {soak.LOW:g} to {soak.PEAK:g} requests/s in the shape of a day each
{soak.DAY_MINUTES:g} min, pages that wait and pages that compute, a scrape each {soak.SCRAPE_SECONDS:g} s, a reload
(HUP) each {soak.RELOAD_SECONDS / 60:g} min. Slopes are least squares over the last two thirds, as the first reload
copies pages once; the arbiter's are with the number of its children held equal, as it keeps files open for each.
**Flat** is a slope within {FLAT_ERRORS:g} standard errors of none, or below
{FLAT_SHARE_A_DAY:.0%} of the mean a day. The flight record is bounded by {soak.RECORD_BYTES >> 20} MiB here and turned
over.
""",
    "chaos": f"""The soak under disturbances

Everything at once, at random: a disturbance each {disturbances.SOONEST_SECONDS:g} to {disturbances.LATEST_SECONDS:g} s
from the table below, {chaos.LOW:g} to {chaos.PEAK:g} requests/s in the shape of one day, a GET or a POST on a new
connection each, a fifth of which fork {chaos.JOBS_A_REQUEST} children that count with prometheus_client,
{chaos.STREAMS} streams that their clients leave after {streams.SHORTEST_SECONDS:g} to {streams.LONGEST_SECONDS:g} s, a
scrape of both pages each second. gthread, {chaos.THREADS} threads, {chaos.SETTINGS["min_workers"]} to
{chaos.SETTINGS["max_workers"]} workers, the brakes of the law and of recycles off. `graceful_timeout` is
{chaos.GRACEFUL_SECONDS} s, longer than any stream, so none may be cut but in a worker that the soak itself or the
kernel killed. What was lost in those is told apart. At the end **the accounts must balance**; the exit code is 1
if they do not.
""",
}
AGAIN = """`make bench-faults`, as root on Linux with nginx installed (`make fetch`), or some cells:
`python -m benchmarks.faults --cells leak,recycle`. Older Gunicorns: `--gunicorn .venv-gunicorn-23.0.0/bin/python`. The
soak under disturbances: `make soak MINUTES=30`, with `SEED=N` the same draws again; the quiet one: `--cells soak`.
The virtual machine: `make test-vm` (its tests decide), and `--cells vm --take` to keep what it told. Nothing else here
decides a test."""
