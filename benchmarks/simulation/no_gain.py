"""The picture of docs/how-it-decides.md: a database that slows down, what was tried and what was kept.

python -m benchmarks.simulation.no_gain > docs/how-it-decides-no-gain.svg
"""

from __future__ import annotations

from benchmarks.simulation.workloads import named

from gunicorn_autotune.cli.plot import Panel, Series, svg
from gunicorn_autotune.testing import SimulatedHost, a_policy, autotuned, steps

SECONDS = 300
SEED = 201


def picture() -> str:
    """Arrivals, workers and throughput of the law beside 64 workers, over five minutes."""
    workload = named("db-degrades", SEED)
    load = steps((60, 40), (SECONDS - 60, 150))
    ours, many = (
        SimulatedHost(workload.application, load, workload.machine, seed=SEED, workers=workers)
        for workers in (2, 64)
    )  # fmt: skip
    law = ours.run(autotuned(a_policy(max_workers=64)))
    static = many.run(lambda snapshot: 64)
    targets = [(second.at, second.target) for second in law.history]
    panels = [
        Panel("workers", "", [Series("the law", targets)]),
        Panel("answered", "per second", [
            Series("the law", smooth([second.finished for second in law.history]), steps=False),
            Series("64 workers", smooth([second.finished for second in static.history]), steps=False),
            Series("arriving", [(float(at), rate) for at, rate in enumerate(load.rates)]),
        ]),
    ]  # fmt: skip
    return svg(panels, title="Simulated: a database that is fastest with 12 requests at once")


def smooth(counts: list[int], over: int = 10) -> list[tuple[float, float]]:
    """Means over `over` seconds."""
    return [(float(end), sum(counts[max(0, end - over) : end]) / min(over, end)) for end in range(1, len(counts) + 1)]


if __name__ == "__main__":
    print(picture(), end="")
