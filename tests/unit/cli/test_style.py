import io

import pytest

from gunicorn_autotune.cli.style import Style, bar, bytes_text, count_text, figure, seconds_text, style_of, table


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self):
        """It is."""
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "expected"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(stream, environment, expected):
    """A pipe, NO_COLOR and a dumb terminal get plain text."""
    assert style_of(stream, environment).colour is expected


def test_paint_without_colour_changes_nothing():
    """No escape sequence ever reaches a pipe."""
    assert Style().paint("red", "x") == "x"


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 KiB"), (22 << 20, "22 MiB"), (1536 << 20, "1.5 GiB"), (5 << 40, "5 TiB")],
)
def test_bytes_have_at_most_three_digits(count, expected):
    """Base 1024, the unit spelled so."""
    assert bytes_text(count) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0 s"), (0.125, "0.12 s"), (4.0, "4 s"), (59.9, "59 s"), (60, "1 min"), (185, "3 min 5 s"),
     (7800, "2 h 10 min"), (86400 * 5 + 3 * 3600, "5 d 3 h")],
)  # fmt: skip
def test_seconds_are_told_in_two_units_at_most(seconds, expected):
    """The smaller unit is left out when it is zero."""
    assert seconds_text(seconds) == expected


@pytest.mark.parametrize(
    ("number", "expected"), [(0.002, "0"), (0.25, "0.25"), (3.94, "3.9"), (4.003, "4"), (47.2, "47")]
)
def test_figures_have_two_digits_that_matter(number, expected):
    """Whole from ten up, no trailing zeros."""
    assert figure(number) == expected


def test_large_counts_are_told_in_millions():
    """Up to seven digits a count is exact."""
    assert (count_text(9_999_999), count_text(12_345_678)) == ("9999999", "12.3 M")


def test_table_lines_up():
    """Right-aligned but for the columns named, no trailing blanks."""
    assert table([("a", "bb", ""), ("aaa", "b", "c")], frozenset({1})) == ["  a  bb", "aaa  b   c"]


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, "....."), (0.01, "#...."), (0.5, "##..."), (1.0, "#####"), (9.0, "#####")]
)
def test_bar_shows_any_work_at_all(share, expected):
    """Above zero there is one cell, and never more than all."""
    assert bar(Style(), share, 5) == expected
