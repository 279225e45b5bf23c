"""The words around the figures of docs/nginx-measured.md."""

from __future__ import annotations

from benchmarks.nginx import changes, gain, plans, retry, share, verify
from benchmarks.nginx.front import GUIDE, OURS

HEAD = """# The nginx side, measured

<!-- Written by `python -m benchmarks.nginx --page` from benchmarks/results/nginx.json; a test holds it fresh. -->

**The question.** Connections expire, workers come and go. How many requests get a 502 through a real nginx, how soon
does a new worker get traffic, and what do UNIX sockets and kept connections gain?
"""
SHORT = """**Short run: {cells}. These figures show that the benchmark works; they are too few to judge by.**
"""
METHOD = f"""## Method

- Real nginx with one worker process, real Gunicorn, all on loopback. **Ours** is
  {OURS.told()}:
  nginx never sends a request again, so it hides nothing. **Failed** is every request without a 2xx within
  30 s. "nginx said" counts the lines of its error log by kind.
- POSTs, since nginx quietly sends a GET again that failed on a kept connection.
- Requests leave on schedule. Times count from the scheduled moment.
"""
LIMITS = """## Limits

- Client, nginx and Gunicorn share one small machine: ratios count, not absolute figures.
- One run each. A 0 of n says that the true share is below 3 / n with 95 % confidence, and no more.
- One nginx worker process. With more of them, each keeps connections of its own.
"""
CELLS = {
    "race": f"""Connections that expire

Each site is a Gunicorn of its own (2 workers; gthread with 4 threads) behind an upstream of its own: {plans.BURST}
POSTs at once every {plans.BETWEEN_BURSTS[0]:g} to {plans.BETWEEN_BURSTS[1]:g} s and one each
{plans.BETWEEN_SINGLES[0]:g} to {plans.BETWEEN_SINGLES[1]:g} s. Every {plans.AIMED_EVERY}th site gets **aimed gaps**
instead: {plans.BURST} at once, then nothing for {", ".join(f"{gap:g}" for gap in plans.AIMED_GAPS)} s, give or take
{plans.AIMED_SPREAD * 1e3:g} ms. Many sites side by side give many requests in little
time. **The guides' pair** is
{GUIDE.told()}. sync closes every connection itself and cannot lose this race.
""",
    "scale": f"""Steps of the worker count

{changes.RATE:g} requests/s, every {changes.POSTS_EVERY}nd a POST of 64 bytes, {changes.WAIT_SECONDS * 1e3:g} ms of
waiting each, {changes.BOOT_SECONDS:g} s to boot. An operator's TTIN, TTIN, TTOU, TTOU, one each
{changes.STEP_SECONDS:g} s, between {changes.WORKERS} and {changes.WORKERS + 2} workers. Autotune is active: it takes
the new count over and chooses who leaves.
""",
    "recycle": """Recycles

The same load while `gunicorn-autotune recycle --all` is asked for again and again, two workers at a time and without
pauses (`recycle_gap_seconds` 0, `recycle_max_unavailable` 2). [Reliability](reliability.md) has the same for
`max_requests`, and direct.
""",
    "share": f"""Until a new worker has its share

{share.CLIENTS} clients that ask again as soon as they are answered, {share.WAIT_SECONDS * 1e3:g} ms a request,
{share.WORKERS} workers, then TTIN. From the signal, so booting counts, to the first look (one each
{share.LOOK_SECONDS:g} s) at which the new worker has served half of an equal share of the last second's requests, by
its own count in `/status.json`.
""",
    "verify": f"""Autotune at work

gthread over UNIX, {verify.WORKERS} workers at first, clients that ask again as soon as they are answered,
{verify.WAIT_SECONDS * 1e3:g} ms asleep a request: they need more workers, and each one helps if it gets its traffic.
The law must not judge a growth before that: a rollback (`no_gain`), or a verdict `downstream` or `cpu`, is
**misjudged** here. In the runs with late clients at most three workers are allowed, and each takes 3 s to boot: with
nginx's defaults the third worker gets hardly any traffic.
""",
    "gain": f"""UNIX or TCP, kept or not

`wrk` with 8 and 32 connections for {gain.RUN_SECONDS} s a run, {gain.WORKERS} workers, 23 bytes of JSON, the four ways
in turns; medians. **TIME_WAIT** are sockets of one run left behind.
""",
    "retry": f"""A request that kills its worker

{retry.WORKERS} gthread workers, connections kept to them; one request whose handler kills its process. Each kept
connection that breaks earns a request another try.
""",
}
AGAIN = """`make bench-nginx` (nginx: `make fetch`; `wrk` from Debian), or some cells:
`python -m benchmarks.nginx --cells race,share`. `--quick` tries everything in a few minutes. Nothing here decides a
test."""
