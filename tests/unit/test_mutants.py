"""The tool that puts faults in: what it changes, what it leaves, and whether it tells noticed from unnoticed."""

from collections import Counter

import pytest

from tests import mutants

SOURCE = b'''"""Not 1 < 2."""

import logging

__all__ = ["limit"]
log = logging.getLogger(__name__)


def limit(seconds: "int | None", most: int = 10) -> bool:
    """At 5 < 6."""
    log.info("%s seconds", seconds + 3)
    return seconds is not None and seconds <= most
'''
TEST = "from gunicorn_autotune.law.limit import limit\n\n\ndef test_limit():\n    assert limit(5) and not limit(12)\n"


def edits(source=SOURCE):
    """(kind, what was there, what stands there instead) of every mutant."""
    return [
        (each.kind, source[each.start : each.end].decode(), each.text)
        for each in mutants.mutants_of("src/gunicorn_autotune/law/limit.py", source)
    ]


def test_each_part_that_decides_is_changed():
    """Boundary and opposite, and/or, the constant both ways, the return value; no text that only people read."""
    assert sorted(edits()) == [
        ("and/or", "and", "or"),
        ("comparison", "<=", "<"),
        ("comparison", "<=", ">"),
        ("comparison", "is not", "is"),
        ("constant", "10", "(10 - 1)"),
        ("constant", "10", "11"),
        ("left out", 'log.info("%s seconds", seconds + 3)', "pass"),
        ("return", "seconds is not None and seconds <= most", "None"),
    ]


@pytest.mark.parametrize(
    ("line", "edit"),
    [
        ("if not a: b()", ("not", "not ", "")),
        ("if a: b()", ("branch", "a", "not (a)")),
        ("a.b = c", ("left out", "a.b = c", "pass")),
        ("a += b", ("arithmetic", "+=", "-=")),
        ("c = ü + a", ("arithmetic", "+", "-")),
        ("c = max(a, b)", ("call", "max", "min")),
        ("c = [a for a in b if a]", ("branch", "a", "not (a)")),
    ],
)
def test_a_statement_is_changed(line, edit):
    """One of each further kind; positions count bytes."""
    assert edit in edits(line.encode())


def test_the_same_seed_chooses_the_same_mutants():
    """And a room gets its share."""
    chosen = mutants.sample(mutants.ROOT, ["scoreboard", "sensors"], 50, "a")

    assert chosen == mutants.sample(mutants.ROOT, ["scoreboard", "sensors"], 50, "a")
    assert Counter(mutant.room for mutant in chosen) == {"scoreboard": 4, "sensors": 5}


@pytest.fixture
def package(tmp_path):
    """A room with one module and one test."""
    file = tmp_path / "src/gunicorn_autotune/law/limit.py"
    file.parent.mkdir(parents=True)
    file.write_bytes(SOURCE)
    (file.parent.parent / "__init__.py").touch()
    (tmp_path / "tests/unit/law").mkdir(parents=True)
    (tmp_path / "tests/unit/law/test_limit.py").write_text(TEST)
    return file


def examined(package, text):
    """What is said of 10 becoming `text`."""
    start = SOURCE.index(b"10")
    mutant = mutants.Mutant("src/gunicorn_autotune/law/limit.py", start, start + 2, text, 9, "constant")
    return mutants.examine(mutant, package.parents[3], quick=True)


@pytest.mark.parametrize(("text", "verdict"), [("11", "survived"), ("1", "killed")])
def test_a_fault_is_noticed_by_a_test_or_not(package, text, verdict):
    """`limit(5)` fails when at most 1 is allowed; nobody asks about 11. The file is whole again afterwards."""
    assert (verdict, SOURCE) == (examined(package, text)["verdict"], package.read_bytes())


def test_a_test_that_fails_without_a_fault_notices_none(package, monkeypatch):
    """It would make every fault look noticed."""
    (package.parents[3] / "tests/unit/law/test_limit.py").write_text("def test_limit():\n    assert False\n")
    monkeypatch.setattr(mutants, "_passed", set())
    with pytest.raises(SystemExit, match=r"test_limit\.py fails without any fault"):
        examined(package, "1")


def test_the_table_leaves_out_what_no_test_could_notice():
    """Three of four that mean something were noticed."""
    verdicts = ["killed"] * 3 + ["survived", "equivalent"]

    assert mutants.table([{"room": "law", "verdict": verdict} for verdict in verdicts])[0] == {
        "room": "law", "mutants": 5, "killed": 3, "equivalent": 1, "noticed_percent": 75,
    }  # fmt: skip
