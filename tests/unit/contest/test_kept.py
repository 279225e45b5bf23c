"""A contest that was cut short goes on: what is kept, and what of it still counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from benchmarks.contest import kept, runner
from benchmarks.contest.contenders import GUNICORNS, MissingError, static
from benchmarks.contest.host import Layout, layout
from benchmarks.contest.runner import TRIES, Bench
from benchmarks.contest.workloads import WORKLOADS, shortened
from benchmarks.demo_server import NotStartedError

ONE_CORE = Layout((0,), (1,))
IO = WORKLOADS["io"]
FIGURES: dict[str, Any] = {"late_50_share": 0.0, "late_250_share": 0.0, "failed": 0, "p95_seconds": 0.1,
                           "throughput": 50.0, "mean_workers": 2.0, "gb_seconds": 1.0}  # fmt: skip


def a_bench(path: Path) -> Bench:
    """Adaptive and 2K + 1 on one workload, two seeds."""
    return Bench(path / "runs.jsonl", ONE_CORE, [IO], [101, 102], frozenset({"adaptive", "static-3"}), quick=True)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Runs that were made, by a fake that takes no time and is always valid."""
    calls: list[tuple[str, int]] = []

    def one_run(contender: Any, workload: Any, seed: int, *_: Any) -> dict[str, Any]:
        calls.append((contender.name, seed))
        return {"figures": dict(FIGURES), "valid": True, "why": ""}

    monkeypatch.setattr(runner, "one_run", one_run)
    return calls


@pytest.fixture(autouse=True)
def a_quiet_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for it between two tries."""
    monkeypatch.setattr(runner, "wait_for_quiet", lambda *_: True)


def quiet(_: str) -> None:
    """Nobody is told."""


def test_a_run_that_was_cut_short_goes_on(tmp_path: Path, made: list[tuple[str, int]]) -> None:
    """What is kept is not made again."""
    runner.run(a_bench(tmp_path), quiet)
    lines = (tmp_path / "runs.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "runs.jsonl").write_text("".join(lines[:3]) + lines[3][:20])
    made.clear()
    for _ in range(2):  # the torn line stays where it was
        runner.run(a_bench(tmp_path), quiet)
    assert len(made) == 1


def test_an_interrupt_costs_the_run_it_cuts_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is half-counted: no line is written for it."""

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "one_run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        runner.run(a_bench(tmp_path), quiet)
    assert not (tmp_path / "runs.jsonl").exists()


def test_an_invalid_run_is_tried_again_but_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each job has TRIES; all are kept."""
    spoilt = {"figures": dict(FIGURES), "valid": False, "why": "others used 0.50 cores"}
    monkeypatch.setattr(runner, "one_run", lambda *_: dict(spoilt))
    runner.run(a_bench(tmp_path), quiet)
    assert len(kept.read(tmp_path / "runs.jsonl")) == 4 * TRIES


def test_the_first_valid_run_counts_whatever_was_spoilt_before(tmp_path: Path) -> None:
    """An invalid later one does not take its place either."""
    base = {"workload": "io", "contender": "adaptive", "front": "", "seed": 1, "digest": "d"}
    runs = [base | {"valid": valid, "number": number} for number, valid in enumerate((False, True, False))]
    (found,) = kept.latest(runs).values()
    assert found["number"] == 1


@pytest.mark.parametrize("error", [MissingError("not installed"), NotStartedError("it ended with exit code 1")])
def test_who_cannot_run_is_named_and_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The others go on, and nothing is kept for it."""

    def one_run(contender: Any, *_: Any) -> dict[str, Any]:
        if contender.name == "adaptive":
            raise error
        return {"figures": dict(FIGURES), "valid": True, "why": ""}

    monkeypatch.setattr(runner, "one_run", one_run)
    bench = a_bench(tmp_path)
    runner.run(bench, quiet)
    assert {record["contender"] for record in bench.records} == {"static-3"}
    assert list(bench.not_run.values()) == [str(error)]


def test_runs_of_another_load_or_layout_do_not_count() -> None:
    """A digest is of everything that was measured."""
    adaptive = GUNICORNS[0]
    digests = {
        kept.digest(IO, adaptive, ONE_CORE),
        kept.digest(shortened(IO), adaptive, ONE_CORE),
        kept.digest(IO, static(3), ONE_CORE),
        kept.digest(IO, adaptive, Layout((0, 1), (2,))),
    }
    assert len(digests) == 4


def test_the_document_says_of_each_contender_that_did_not_run_why(tmp_path: Path, made: list[tuple[str, int]]) -> None:
    """Runs, their series left as they are, and reasons, in one shape."""
    bench = a_bench(tmp_path)
    runner.run(bench, quiet)
    bench.not_run["granian"] = "not installed"
    found = runner.document(bench, "command", {})
    assert found["not_run"] == {"granian": "not installed"}
    assert {(run["contender"], run["seed"]) for run in found["runs"]} == set(made)


@pytest.mark.parametrize(
    ("cores", "server", "generator"), [([0], (0,), (0,)), ([0, 1], (0,), (1,)), ([3, 1, 2], (1, 2), (3,))]
)
def test_server_and_generator_are_apart_where_cores_allow(
    cores: list[int], server: tuple[int, ...], generator: tuple[int, ...]
) -> None:
    """The last core is the generator's."""
    assert layout(cores) == Layout(server, generator)
