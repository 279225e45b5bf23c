"""What one request, one tick and one scrape cost, what a step in load does: measured, printed, never a test.

    python -m benchmarks.micro                     all cases, about a quarter of an hour
    python -m benchmarks.micro --only tick --only scrape
    python -m benchmarks.micro --quick             to see that everything runs; the figures are worth nothing

Every case is a file with a `measure(options, tell)`. Goals stand beside the figures, and so do yardsticks measured in
the same run. Run it on a quiet machine: with two cores, anything else that runs is in the figures.
"""
