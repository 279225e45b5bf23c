"""Every story, played by the law on the simulated host, keeps its figures in their ranges."""

import pytest

from tests.scenarios.figures import misses, run
from tests.scenarios.scenario import all_scenarios

PLAYS = [(scenario, seed) for scenario in all_scenarios() for seed in scenario.seeds]


@pytest.mark.parametrize(("scenario", "seed"), PLAYS, ids=[f"{one.name}-seed{seed}" for one, seed in PLAYS])
def test_the_figures_are_in_their_ranges(scenario, seed):
    """What is outside is named: scenario, seed, figure, value, allowed range; `python -m tests.scenarios` shows all."""
    outside = [f"{scenario.name} seed {seed}: {miss}" for miss in misses(run(scenario, seed))]

    assert not outside, "\n".join(["outside its range:", *outside])
