"""What the demo shows is what it saw: bars, words for every change, a picture that fits, bounds on the command line."""

import io

import pytest
from benchmarks.demo import AUTOTUNE, Plan, Seen, main, outcome, parse, summary
from benchmarks.demo_server import gunicorn_config
from benchmarks.demo_view import Change, Lines, Part, Second, change_lines, chart, column, panel, view, words
from benchmarks.openloop import Phase, Request, Run

from gunicorn_autotune.model.decisions import PAIRS, Action
from gunicorn_autotune.model.policy import policy_from

FACTS = {"backlog": 29.0, "arrivals_per_second": 118.0, "service_seconds": 0.1}


def a_change(at: float, before: int, after: int, reason: str = "backlog") -> Change:
    """A decision of the status document."""
    action = "grow" if after > before else "shrink"
    return Change(at, {"time": at, "action": action, "reason": reason, "from": before, "to": after, "facts": FACTS})


def seconds(count: int, workers: int = 2) -> list[Second]:
    """A run that waits, is slow and fails a little more each second."""
    return [Second(at, 10 + at, workers, workers, at, at / 10 or None, at) for at in range(count)]


def seen(requests: list[Request]) -> Seen:
    """A run with these requests and 2 workers, then 10."""
    run = Run("http://127.0.0.1:1/", "GET", (Phase(1, 1),), "even", 0, tuple(requests))
    return Seen(run, [a_change(5.0, 2, 10)], [(at / 10, 2 if at < 50 else 10) for at in range(100)])


def test_every_change_has_words_of_its_own():
    """No decision is shown by its reason alone, whatever figures are missing."""
    reasons = [reason.value for action, reason in PAIRS if action is not Action.HOLD]
    bare = [reason for reason in reasons if "see docs" in words({"reason": reason, "facts": {}})]

    assert bare == []


def test_the_words_show_the_figures_behind_the_reason():
    """What the law measured stands in the line."""
    assert words(a_change(1, 2, 18).record) == "backlog: 29 requests wait, 118/s x 100 ms = 11.8 busy"


def test_shrinks_in_a_row_share_a_line():
    """Growths are told one by one, the many small steps down together."""
    changes = [
        a_change(1, 2, 9),
        a_change(2, 9, 12),
        a_change(9, 12, 11, "load_fell"),
        a_change(14, 11, 9, "load_fell"),
    ]

    lines = change_lines(changes)

    assert [line.split()[2] for line in lines] == ["grow", "grow", "shrink"]
    assert "12 -> 9   in 2 steps" in lines[-1]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "  "), (0.01, " ▁"), (4, " █"), (6, "▄█"), (8, "██"), (99, "██")],
)
def test_a_bar_shows_anything_above_zero_and_never_overflows(value, expected):
    """Two rows of eight eighths, 8 at the top."""
    assert "".join(column(value, 8, 2)) == expected


@pytest.mark.parametrize("columns", [76, 99, 119])
def test_the_picture_fits_the_terminal(columns):
    """No line is wider and no picture higher than told, however long the runs and however many the changes."""
    parts = [Part("workers = 2", 11, seconds(11)), Part("gunicorn-autotune, 2 to 24 workers", 66, seconds(66))]
    changes = [a_change(at, at % 5 + 1, at % 5 + 2) for at in range(40)]

    picture = panel("Now", parts, changes, 24, columns, 29, colour=False)

    assert max(map(len, picture)) <= columns
    assert len(picture) <= 29


def test_the_chart_grows_by_a_column_a_second():
    """An unfinished run leaves room for what comes."""
    part = Part("a run", 30, seconds(10))

    offered = chart([part], 24, 99, colour=False)[1]

    assert len(offered.split()[1]) == 10


def test_a_pipe_gets_lines_and_no_escape_codes():
    """Output that is no terminal stays readable text."""
    out = io.StringIO()
    shown = view(out, 24, [], {"TERM": "xterm"})
    shown.second(seconds(3, workers=4)[2])
    shown.change(a_change(1.0, 2, 18))

    assert isinstance(shown, Lines)
    assert out.getvalue().splitlines() == [
        "  2 s   12/s  ████····················  4 workers, target  4  waiting   2  p95  200 ms  failed 2",
        "  >>>   1.0 s  grow      2 -> 18  backlog: 29 requests wait, 118/s x 100 ms = 11.8 busy",
    ]


def test_an_outcome_counts_the_requests_that_were_due_in_its_span():
    """Requests outside do not count, failed ones have no latency, worker-seconds are workers times time."""
    requests = [Request(at, 0.0, 0.1, 200) for at in (4.0, 5.0, 6.0)] + [Request(7.0, 0.0, 3.0, None, "timeout")]

    one = outcome("a span", seen(requests), 5.0, 10.0)

    assert (one.sent, one.failed, one.p95_seconds) == (3, 1, 0.1)
    assert (one.fewest, one.most, one.worker_seconds) == (10, 10, 50.0)


def test_a_late_generator_is_told():
    """Figures of a run that measured itself are not passed off as the server's."""
    late = seen([Request(at / 10, 0.2, 0.3, 200) for at in range(60)])

    told = summary(Plan(2, 2, 2, 2), late, late)

    assert "late" in told[-1]


def test_the_settings_shown_are_settings():
    """The policy accepts what the demo asks for."""
    assert policy_from(AUTOTUNE, {}).max_workers == 24


def test_plain_gunicorn_is_plain():
    """Without settings the configuration does not know us."""
    assert "autotune" not in gunicorn_config(8000)


@pytest.mark.parametrize(
    "arguments", [["--busy", "0"], ["--after", "-1"], ["--busy", "80"], ["--static", "40", "--busy", "40"]]
)
def test_a_plan_out_of_bounds_is_refused(arguments, capsys):
    """It takes 90 seconds at most, however it is asked."""
    with pytest.raises(SystemExit) as refused:
        main(arguments)

    assert (refused.value.code, "error" in capsys.readouterr().err) == (2, True)


def test_the_default_plan_ends_within_90_seconds():
    """Two starts and two stops included."""
    plan = parse([])

    assert plan.static_length + plan.length <= 82
