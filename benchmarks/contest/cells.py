"""Figures as the page writes them: three digits at most, a mean with half of its 95 % interval. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.contest.intervals import Difference, Mean, Value

NONE = "-"


@dataclass(frozen=True, slots=True)
class Form:
    """How a figure in seconds, or a share, is written: times `factor`."""

    factor: float = 1.0

    def __call__(self, value: float, like: float | None = None) -> str:
        """As many decimals as `like` gets, if given: two below 10, one below 100; `0` is exactly nothing."""
        size = abs((value if like is None else like) * self.factor)
        decimals = 2 if size < 10 else 1 if size < 100 else 0
        return f"{value * self.factor:,.{decimals}f}" if value else "0"


plain, per_cent, milliseconds = Form(), Form(100.0), Form(1e3)


def told(one: Mean, form: Form, interval: bool = True) -> str:
    """`12.3 ± 0.4`; `never in 2 of 10`; `-` without a run."""
    if one.never:
        return "never" if one.never == one.runs else f"never in {one.never} of {one.runs}"
    if one.value is None:
        return NONE
    return form(one.value) + (f" ± {form(one.half, one.value)}" if interval and one.half else "")


def change(one: Difference, form: Form, unit: str = "") -> str:
    """`+3.10 points (+2.80 to +3.40)`, or who never got there."""
    if one.value is None:
        return never(one)
    if one.half is None:
        return f"{signed(one.value, form)}{unit and ' '}{unit} (one pair, no interval)"
    return f"{signed(one.value, form)}{unit and ' '}{unit} ({interval(one, form)})"


def interval(one: Difference, form: Form) -> str:
    """`+2.80 to +3.40`."""
    if one.value is None or one.half is None:
        return NONE
    low, high = one.value - one.half, one.value + one.half
    return f"{signed(low, form, one.value)} to {signed(high, form, one.value)}"


def never(one: Difference) -> str:
    """Who did not get there."""
    if not one.pairs:
        return "no pairs"
    return f"never: adaptive in {one.mine_never}, the other in {one.theirs_never} of {one.pairs}"


def signed(value: float, form: Form, like: float | None = None) -> str:
    """With + or -; `0` has neither."""
    text = form(value, like)
    return f"+{text}" if value > 0 else text


def times(value: Value) -> str:
    """`1.04 x`."""
    return NONE if value is None else f"{value:.2f} x"


def count(value: int, word: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{value} {word}" if value == 1 else f"{value} {word}s"
