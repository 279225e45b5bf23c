"""docs/simulate.md shows code and a scenario file: both work as they stand."""

import re
from pathlib import Path

import pytest
from tests.scenarios.scenario import scenarios_of

PAGE = (Path(__file__).parents[2] / "docs/simulate.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
SCENARIOS = re.findall(r"^```toml\n(.*?)^```", PAGE, re.M | re.S)


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_the_examples_run(number, capsys):
    """Copied into a file, each runs and prints something."""
    exec(compile(PROGRAMS[number], f"example {number + 1} of simulate.md", "exec"), {})

    assert capsys.readouterr().out


def test_the_scenario_is_one(tmp_path):
    """Every key in it is known."""
    path = tmp_path / "afternoon.toml"
    path.write_text(SCENARIOS[0], encoding="utf-8")

    assert ["afternoon"] == [scenario.name for scenario in scenarios_of(path)]
