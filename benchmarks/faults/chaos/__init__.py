"""A soak under random disturbances, with accounts that must balance at its end.

python -m benchmarks.faults --cells chaos --minutes 30
"""
