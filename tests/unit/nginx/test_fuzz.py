"""The fuzz runner itself: a fault is found, kept, and made again."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from benchmarks.fuzz_nginx import __main__ as fuzz
from benchmarks.fuzz_nginx import inputs
from benchmarks.fuzz_nginx.inputs import MAIN, Files, corpus, drawn
from benchmarks.fuzz_nginx.targets import TARGETS


def broken(files: Files) -> str:
    """A target with a fault."""
    raise KeyError(len(files[MAIN]))


def endless(_files: Files) -> str:
    """A target that hangs, deaf to exceptions."""
    while True:
        try:
            while True:
                pass
        except Exception:
            continue


def test_the_same_seed_makes_the_same_inputs() -> None:
    """A fault can be made again."""
    known = corpus()

    assert [drawn(random.Random("1:2"), known)] == [drawn(random.Random("1:2"), known)]


def test_a_short_run_finds_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Every target reads what is made for it."""
    assert 0 == fuzz.main(["--seed", "3", "--only", "5"])
    assert "seed 3: inputs 5..5, no crash" in capsys.readouterr().out


def test_an_exception_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that caused it are on disk."""
    monkeypatch.setattr(fuzz, "OUT", tmp_path)
    monkeypatch.setitem(TARGETS, "broken", broken)

    assert 1 == fuzz.main(["--target", "broken"])
    assert list(tmp_path.rglob("nginx.conf"))


def test_a_hang_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """After the time of one input."""
    monkeypatch.setattr(fuzz, "OUT", tmp_path)
    monkeypatch.setattr(fuzz, "SECONDS", 0.05)
    monkeypatch.setitem(TARGETS, "endless", endless)

    assert 1 == fuzz.main(["--target", "endless"])
    assert "longer than 0.05 s" in capsys.readouterr().out


def test_huge_inputs_are_as_long_as_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to 5 MB."""
    monkeypatch.setattr(inputs, "ONE_HUGE_IN", 1)
    kind, files = drawn(random.Random(1), corpus())

    assert ("huge", True) == (kind, len(files[MAIN]) in inputs.HUGE_CHARACTERS)
