"""What users keep when things go wrong: a leak in a real memory cgroup, recycles under load, the fault suite, a soak.

    python -m benchmarks.faults --cells leak,recycle

Servers, load and limits are real; nothing is simulated. Figures are printed and kept, and decide nothing.
"""
