"""The command line of the contest: bad input is named, and a plan runs nothing."""

from __future__ import annotations

import pytest
from benchmarks.contest.__main__ import main
from benchmarks.contest.progress import bar, in_a_line, left
from benchmarks.contest.watch import is_worker, looks_in


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--workloads", "io,tea"], "--workloads = tea, must be of"),
        (["--contenders", "apache"], "--contenders = apache, must be of"),
        (["--seeds", "0-3"], "--seeds = 0-3, must be"),
        (["--seeds", "103-101"], "--seeds = 103-101, must be"),
        (["--minutes", "-1"], "--minutes = -1, must be more than 0"),
        (["--quick", "--take"], "--take = on, must not go with --quick"),
    ],
)
def test_a_bad_argument_is_named_with_its_value_and_rule(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and one line that says what is wrong."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_the_plan_says_what_would_run(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each run and the time they take together."""
    assert main(["--plan", "--workloads", "io", "--contenders", "adaptive", "--seeds", "101-102"]) == 0
    assert " min" in capsys.readouterr().out.splitlines()[-1]


def test_the_bar_fills_with_the_runs() -> None:
    """Empty, half, full."""
    assert [bar(made, 48).count("#") for made in (0, 24, 48)] == [0, 12, 24]
    assert "min left" in left(600)


def test_a_run_in_a_line_says_never_where_it_never_was() -> None:
    """None is said in words."""
    figures = {"late_50_share": 1.0, "late_250_share": 1.0, "failed": 3, "p95_seconds": None, "back_seconds": None,
               "mean_workers": 2.0, "gb_seconds": None}  # fmt: skip
    said = in_a_line({"figures": figures, "valid": False, "why": "others used 0.50 cores"})
    assert "p95 never, never back" in said
    assert said.endswith("NOT VALID: others used 0.50 cores")


@pytest.mark.parametrize(
    ("line", "worker"), [("python -m gunicorn", True), ("python -m x.exporter_main", False), ("", False)]
)
def test_a_process_that_serves_nobody_is_no_worker(line: str, worker: bool) -> None:
    """The exporter is no worker, neither is a process that has ended."""
    assert is_worker(line, ("exporter_main",)) is worker


def test_a_look_cut_short_by_its_writer_is_left_out() -> None:
    """Only whole lines are looks."""
    assert looks_in('{"at": 1}\n{"at": 2') == [{"at": 1}]
