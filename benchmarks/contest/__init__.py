"""Adaptive against static tuning and against its peers: real servers, an open-loop load, real cgroup limits.

    python -m benchmarks.contest --quick          see it in ten minutes
    python -m benchmarks.contest                  everything; goes on where an earlier run was cut short
    python -m benchmarks.contest --take --page    keep what was run as the project's results, write docs/benchmarks.md

A *contender* (contenders.py) serves a *workload* (workloads.py) with a *seed*: that is one run. Runs of one workload
and seed see the very same requests and stand next to each other in time, in an order drawn from the seed.

results/contest.json:
    machine, versions, command, taken, not_run {"contender[ workload[ front]]": why}
    layout   server_cores, generator_cores, groups: the cgroup controllers that held the servers
    sweep    {workload: {"best": "static-8", "counts": [{contender, late_50_share, p95_seconds, throughput}]}}: the
             static oracle of each workload, and how it was found
    spoilt   [{workload, contender, front, seed, valid, why}]: tries that do not count
    runs     [{workload, contender, front, seed, valid, why, figures, series}]
             front    "" straight to the server, "unix" or "tcp" behind nginx
             valid    false when the generator was late or others used the machine; `why` says which
             figures  see figures.py; a figure that was never reached is null
             series   of the first seed: {seconds, offered [[at, rate]], per_second [{second, arrivals, p95_seconds,
                      failed}], workers [[at, count]]}
    closed   [{workload, contender, ...}]: Locust's own figures, a closed loop (closed.py)
"""
