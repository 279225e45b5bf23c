"""The law beside what others do, on simulated servers: same arrivals, same bounds, different controllers.

    python -m benchmarks.simulation                          named scenarios and the tuning set
    python -m benchmarks.simulation --set tuning --each 6    less of it; peers' runs are kept, so the next call is quick
    python -m benchmarks.simulation --explain 1 4            what happened in workload 4 of seed 1, every 10 s
    make bench-sim                                           all of it, and docs/evidence.md written again

`peers/` holds one file per controller with its constants and their source, `workloads.py` what is served.
"""
