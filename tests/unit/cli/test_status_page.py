import re

import pytest

from gunicorn_autotune.cli.status_page import page
from gunicorn_autotune.cli.style import WIDEST, Style
from gunicorn_autotune.model.snapshot import WorkerState
from tests.unit.cli.pages import a_whole_document
from tests.unit.exporter.boards import a_board, a_row

ESCAPE = re.compile(r"\033\[\d+m")


def a_record(at=1_700_000_000.0, **changes):
    """One decision of the log."""
    record = {"time": at, "action": "grow", "reason": "backlog", "from": 2, "to": 4, "facts": {"backlog": 8.0}}
    return record | changes


def shown(document, style=Style()):  # noqa: B008 (frozen)
    """The page's lines."""
    return page(document, style, []).splitlines()


def line_with(lines, beginning):
    """The only line that begins so."""
    (line,) = [line for line in lines if line.startswith(beginning)]
    return line


def test_first_line_tells_mode_counts_cap_and_bottleneck():
    """Draining workers are no capacity; the cap names the limit that sets it."""
    reading = a_board(a_row(0), a_row(1), a_row(2, state=WorkerState.DRAINING))
    expected = "active   workers 2 -> 3   demand 2.5   cap 4 (max_workers)   bottleneck none"

    assert shown(a_whole_document(reading))[0] == expected


def test_second_line_says_why():
    """The decision in words."""
    assert shown(a_whole_document())[1] == "Holding at 3: the load measured needs about this many."


def test_limits_show_use_limit_and_queues():
    """CPU, memory and every listener have a line; pids only where they are limited."""
    lines = shown(a_whole_document())

    assert line_with(lines, "cpu").split() == [
        "cpu",
        "?",
        "of",
        "2",
        "cores",
        "pressure",
        "1%,",
        "throttled",
        "0.25",
        "s",
    ]
    assert line_with(lines, "memory").split() == [
        "memory",
        "1",
        "GiB",
        "of",
        "4",
        "GiB",
        "25%",
        "used,",
        "pressure",
        "1%",
    ]
    assert [line.split()[1:4] for line in lines if line.startswith("backlog")] == [
        ["3", "of", "2048"],
        ["?", "of", "128"],
    ]
    assert not [line for line in lines if line.startswith("pids")]


@pytest.mark.parametrize(("used", "shown_as"), [(21, "21 of 64"), ({"missing": "gone"}, "? of 64")])
def test_the_arbiters_open_files_are_shown_where_they_are_limited(used, shown_as):
    """What it holds, and the limit."""
    document = a_whole_document()
    document["host"] |= {"files_limit": 64, "files_used": used}

    assert shown_as in line_with(shown(document), "open files")


def test_what_is_missing_is_a_question_mark_with_its_reason_below():
    """Never 0, never blank: the reason stands once for all it explains."""
    lines = shown(a_whole_document(a_board(a_row(0, rss_bytes=None), a_row(1, uss_bytes=None))))

    assert line_with(lines, "? rss") == "? rss, uss: not read yet"
    assert line_with(lines, "? backlog").endswith(": not on this host")


def test_worker_row_shows_slot_pid_load_and_memory():
    """A gthread worker's bar is its threads in use."""
    lines = shown(a_whole_document(a_board(a_row(7, queued=3))))
    row = next(line for line in lines if line.split()[:2] == ["7", "5007"])

    assert row.split() == [
        "7",
        "5007",
        "busy",
        "##...",
        "1/2",
        "3",
        "2",
        "40",
        "90",
        "MiB",
        "30",
        "MiB",
        "1",
        "min",
        "40",
        "s",
        "0.12",
        "s",
    ]


def test_event_loop_worker_shows_a_number_instead_of_a_bar():
    """One of a thousand connections would always look idle."""
    lines = shown(a_whole_document(a_board(a_row(0, in_flight=12)), threads=1000))

    assert "busy   12 " in next(line for line in lines if "5000" in line)


def test_last_ten_decisions_stand_newest_first():
    """Older ones are left to --json."""
    records = [a_record(1_700_000_000.0 + at, to=at) for at in range(12)]
    lines = [line for line in shown(a_whole_document(recent_decisions=records)) if "grow" in line]

    assert [line.split("->")[1].split()[0] for line in lines] == [str(to) for to in range(11, 1, -1)]
    assert "requests wait in the queue (8 waiting)" in lines[0]


def test_no_decision_yet_is_said():
    """A fresh server has no empty table."""
    assert "No change of the worker count so far." in shown(a_whole_document(recent_decisions=[]))


def test_errors_of_autotune_are_not_hidden():
    """A stage that failed is counted on the page."""
    document = a_whole_document()
    document["tally"]["errors"] = {"read": 3}

    assert line_with(shown(document), "autotune errors") == "autotune errors: 3 x read; see Gunicorn's error log"


def test_workers_that_nobody_measures_or_that_had_to_be_killed_are_not_hidden():
    """A line each, with how many."""
    document = a_whole_document()
    document["tally"] |= {"unmeasured_workers": 2, "drain_kills": 3}

    assert {
        "2 workers served unmeasured: the scoreboard was full",
        "3 workers did not leave in time and were killed",
    } <= set(shown(document))


def test_settings_that_were_refused_are_not_hidden():
    """As the log says it, but for the name of the product."""
    document = a_whole_document(refused_settings=["autotune: max_workers = -1: must be at least 1", "another"])

    assert {"max_workers = -1: must be at least 1", "another"} <= set(shown(document))


def test_a_server_with_nothing_refused_shows_no_line_of_it():
    """Also one that does not know the field yet."""
    document = a_whole_document()
    document.pop("refused_settings", None)

    assert shown(document) == shown(a_whole_document(refused_settings=[]))


def test_everything_fits_100_columns():
    """Also with long addresses, large numbers and many reasons, colours not counted."""
    rows = [a_row(slot, pid=4194304, requests=10**9, queued=999, oldest_request_seconds=7199.0, spawned=1.0) for slot in
            (0, 500, 1031)]  # fmt: skip
    facts = dict.fromkeys(("backlog", "arrivals_per_second", "busy_share", "service_seconds", "queue_p95_seconds"), 1e6)
    document = a_whole_document(
        a_board(*rows), recent_decisions=[a_record(facts=facts, reason="boot_backoff")], threads=64
    )
    document["listeners"][0]["address"] = "unix:/" + "x" * 100
    document["decision"]["facts"] = facts
    document["demand"] = {"missing": "because " * 40}
    lines = shown(document, Style(colour=True, unicode=True, width=WIDEST))

    assert max(len(ESCAPE.sub("", line)) for line in lines) <= WIDEST


def test_nothing_is_cut_where_no_terminal_is():
    """A file or another program takes every line whole."""
    document = a_whole_document()
    document["listeners"][0]["address"] = "unix:/" + "x" * 200
    document["server"]["worker_class"] = "y" * 200
    text = page(document, Style(), [])

    assert ("x" * 200 in text, "y" * 200 in text) == (True, True)


def test_what_limits_is_unknown_where_no_request_is_seen():
    """Not `none`, not `idle`: a question mark, and why."""
    unseen = a_row(0, state=WorkerState.UNKNOWN, requests=None, busy_seconds=None, in_flight=None, queued=None)
    why = {"missing": "this worker class does not report its requests"}
    lines = shown(a_whole_document(a_board(unseen), bottleneck=why, demand=why))
    row = next(line for line in lines if line.split()[:2] == ["0", "5000"])

    assert lines[0].endswith("demand ?   cap 4 (max_workers)   bottleneck ?")
    assert row.split()[2:5] == ["?", "?", "?"]
    assert line_with(lines, "? bottleneck") == f"? bottleneck, demand, state, busy, queued, requests: {why['missing']}"


def test_workers_killed_for_memory_are_said():
    """However calm it is now."""
    document = a_whole_document()
    document["tally"]["exits"]["oom_kill"] = 2

    assert "workers killed by the kernel for memory (OOM kill), they did not fit: 2" in shown(document)


def test_workers_that_ended_badly_are_told_with_the_time_of_the_last():
    """Those that were asked to leave are no news."""
    document = a_whole_document()
    document["tally"] |= {
        "exits": {"error": 3, "signal": 1, "reload": 9},
        "last_exits": {"error": document["time"] - 40, "signal": document["time"] - 7200, "reload": document["time"]},
    }

    assert [line for line in shown(document) if line.startswith("workers ") and "ago" in line] == [
        "workers ended by an error: 3, the last 40 s ago",
        "workers crashed, or killed by somebody's signal: 1, the last 2 h ago",
    ]


def test_server_that_published_nothing_shows_its_trouble_alone():
    """Between start and first tick there is nothing else to show."""
    assert (
        page({"missing": "nothing yet", "workers": []}, Style(), ["not ready: nothing yet"]) == "not ready: nothing yet"
    )


def test_server_without_workers_says_so():
    """An empty table would look like a fault of ours."""
    assert "No worker process runs." in shown(a_whole_document(a_board()))


def of_server(**told):
    """The page's lines, of a server that tells this of itself."""
    document = a_whole_document()
    server = {name: value for name, value in document["server"].items() if name not in ("name", "metrics")}
    return shown(document | {"server": server | told})


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"name": "shop", "metrics": "http://127.0.0.1:9878/metrics"}, "shop, metrics http://127.0.0.1:9878/metrics"),
        ({"name": "a\x1b[2Jb", "metrics": ""}, "a\\x1b[2Jb"),
    ],
)
def test_the_page_says_which_of_several_sites_it_is(told, expected):
    """In printable words; a server that does not tell costs no line."""
    lines = of_server(**told)

    assert [expected] == [line for line in lines if line not in of_server()]
    assert len(lines) == len(of_server()) + 1
