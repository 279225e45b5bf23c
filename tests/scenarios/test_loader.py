"""A scenario file says what it means, or is refused."""

import pytest

from tests.scenarios.parts import ScenarioError
from tests.scenarios.scenario import FOLDER, all_scenarios, scenarios_of

GOOD = """
title = "A step"
story = "It comes."
[machine]
cores = 2.0
[load]
kind = "steps"
parts = [[10, 5], [10, 50]]
[expected]
late_share = { at_most = 0.1 }
"""


def written(folder, text):
    """The scenarios of a file with `text`."""
    path = folder / "story.toml"
    path.write_text(text, encoding="utf-8")
    return scenarios_of(path)


def test_a_file_without_variants_is_one_scenario(tmp_path):
    """Its name is that of the file, what it does not say is the default."""
    (one,) = written(tmp_path, GOOD)

    assert ("story", 20, (1,), 2) == (one.name, one.load.seconds, one.seeds, one.workers)


def test_a_variant_is_laid_over_the_rest(tmp_path):
    """Only the tables it names change; its name comes after the file's."""
    variant = '[[variant]]\nname = "small"\nmachine.hidden = ["busy"]\nexpected.late_share = { at_most = 0.5 }\n'
    (one,) = written(tmp_path, GOOD + variant)

    found = (one.name, one.machine.cores, one.machine.hidden, one.expected.ranges["late_share"].at_most)
    assert ("story/small", 2.0, {"busy"}, 0.5) == found


def test_changes_add_up(tmp_path):
    """The second change keeps what the first one set."""
    changes = "[[change]]\nat = 5\napplication.pool = 4\n[[change]]\nat = 8\napplication.wait_seconds = 1.0\n"
    (one,) = written(tmp_path, GOOD + changes)

    assert (4, 1.0) == (one.changes[1].application.pool, one.changes[1].application.wait_seconds)


WRONG = {
    "a key on top": ('titel = "x"\n' + GOOD, "titel: no such key"),
    "a figure": (GOOD + "late_shore = 0\n", "expected.late_shore: no such key"),
    "a bound": (GOOD + "actions = { most = 3 }\n", "expected.actions.most: no such key"),
    "a field of the machine": (GOOD + "[application]\ncors = 1\n", "application.cors: no such key"),
    "a sensor": (GOOD.replace("cores = 2.0", 'hidden = ["busi"]'), "machine.hidden: busi: no such sensor"),
    "a setting": (GOOD + "[policy]\nmax_worker = 3\n", "did you mean max_workers"),
    "a verdict": (GOOD + 'verdicts.must_not_appear = ["cpus"]\n', "expected.verdicts: cpus: no such word"),
    "a reason": (GOOD + 'reasons.must_appear = ["backlogs"]\n', "expected.reasons: backlogs: no such word"),
    "a load": (GOOD.replace('"steps"', '"stairs"'), "load.kind = 'stairs'"),
    "a parameter of the load": (GOOD.replace("parts", "steps"), "load.steps: no such key"),
    "a drawn field": (GOOD + '[[change]]\nat = 1\napplication.spread = "heavy"\n', "drawn before the run"),
    "an empty story": (GOOD.replace("story", "#"), "story is missing"),
    "a phase that ends before it begins": (GOOD + "[[expected.phase]]\nfrom = 9\nto = 3\n", "from = 9, to = 3"),
    "a variant without a name": (GOOD + "[[variant]]\nseeds = [1]\n", "variant has no name"),
    "no TOML": ("title =", "Invalid value"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_named(tmp_path, wrong):
    """A range with a typo would pass for ever, so it is an error that names file and key."""
    text, said = WRONG[wrong]

    with pytest.raises(ScenarioError, match=r"^story\.toml: ") as error:
        written(tmp_path, text)
    assert said in str(error.value)


def test_every_file_of_this_folder_is_read():
    """Each has a story of its own, and names are unique."""
    scenarios = all_scenarios()
    files = {scenario.name.split("/")[0] for scenario in scenarios}

    assert {path.stem for path in FOLDER.glob("*.toml")} == files
    assert len(scenarios) == len({scenario.name for scenario in scenarios})
