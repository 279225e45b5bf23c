"""The command: where its figures come from, what it prints and writes, its exit codes."""

import argparse
import io
import json
from dataclasses import replace

import pytest

from gunicorn_autotune.cli import main, plan, plan_sampling
from gunicorn_autotune.model.flight import FORMAT, Header, header_line, tick_line
from gunicorn_autotune.testing import a_policy
from tests.unit.cli.pages import a_whole_document, answering, healthy_pages
from tests.unit.cli.records import OVERLOAD, SYNC, WAITING, a_record

HOUR = replace(WAITING, seconds=3600)


@pytest.fixture
def flight(tmp_path):
    """Writes a record and says where."""

    def write(*stretches, name="flight.jsonl", **world):
        server = SYNC | {"gunicorn": "27.0.1", "python": "3.11", "unix_seconds": 0.0, "monotonic_seconds": 0.0}
        header = Header(format=FORMAT, autotune="0.1.0", server=server, policy=a_policy())
        lines = [tick_line(tick.snapshot, tick.decision) for tick in a_record(*stretches, **world)]
        (tmp_path / name).write_text("\n".join([header_line(header), *lines]) + "\n")
        return str(tmp_path / name)

    return write


def settings_in(text):
    """What Python makes of a configuration file."""
    values = {}
    exec(compile(text, "gunicorn.conf.py", "exec"), values)
    return {name: value for name, value in values.items() if not name.startswith("__")}


def test_a_quiet_record_is_exit_code_0_and_a_page_with_the_file_below(flight, capsys):
    """What was seen, what limits, what it could take, and the settings; 100 columns."""
    code = main(["plan", flight(HOUR)])
    out, err = capsys.readouterr()

    assert (0, "") == (code, err)
    assert ["1 h, 216000 requests, sync, up to 8 workers", "What limits it", "What this host could take"] == [
        line for line in out.splitlines() if line.startswith(("1 h", "What limits", "What this"))
    ]
    assert max(map(len, out.splitlines())) <= 100


def test_trouble_is_exit_code_1(flight, capsys):
    """The plan is made all the same."""
    code = main(["plan", flight(OVERLOAD)])

    assert (1, True) == (code, "workers = 5" in capsys.readouterr().out)


def test_too_few_requests_are_exit_code_2_and_said_with_both_numbers(flight, capsys):
    """A plan from a handful of requests would be a guess."""
    code = main(["plan", flight(replace(WAITING, seconds=20, rate=2))])
    out, err = capsys.readouterr()

    assert (2, "") == (code, out)
    assert "only 40 requests finished within the record, a plan needs 100" in err


def test_the_file_is_python_that_sets_what_was_planned(flight, tmp_path):
    """Comments aside, exactly the pinned settings."""
    main(["plan", flight(HOUR), "-o", str(tmp_path / "g.py")])

    assert {"worker_class": "sync", "workers": 10, "timeout": 30, "max_requests": 0} == settings_in(
        (tmp_path / "g.py").read_text()
    )


def test_every_line_of_the_file_has_its_reason_above(flight, tmp_path):
    """A value without one could not be reviewed."""
    main(["plan", flight(HOUR), "-o", str(tmp_path / "g.py")])
    lines = (tmp_path / "g.py").read_text().splitlines()

    assert all(lines[at - 1].startswith("# ") for at, line in enumerate(lines) if line and not line.startswith("#"))


def test_a_file_is_not_overwritten(flight, tmp_path, capsys):
    """Exit code 2, and it stays as it was."""
    (tmp_path / "g.py").write_text("mine\n")
    code = main(["plan", flight(HOUR), "-o", str(tmp_path / "g.py")])

    assert (2, "mine\n") == (code, (tmp_path / "g.py").read_text())
    assert "exists and is not overwritten; --force does" in capsys.readouterr().err


def test_force_overwrites(flight, tmp_path):
    """When asked for."""
    (tmp_path / "g.py").write_text("mine\n")
    main(["plan", flight(HOUR), "-o", str(tmp_path / "g.py"), "--force"])

    assert settings_in((tmp_path / "g.py").read_text())["workers"] == 10


def test_json_holds_figures_settings_limits_capacity_and_the_file(flight, capsys):
    """For a program; a missing figure says why."""
    main(["plan", flight(HOUR), "--json"])
    answer = json.loads(capsys.readouterr().out)

    assert ["observed", "settings", "limits", "capacity", "file"] == list(answer)
    assert {"missing": "no queue time was seen"} == answer["observed"]["queue"]["p95_seconds"]


def test_json_names_each_setting_with_value_reason_and_whether_it_is_pinned(flight, capsys):
    """The same four for each."""
    main(["plan", flight(HOUR), "--json"])
    settings = json.loads(capsys.readouterr().out)["settings"]

    assert {("name", "value", "reason", "pinned")} == {tuple(one) for one in settings}


def test_a_damaged_record_is_used_up_to_its_fault(flight, capsys):
    """Only when asked for, and the page says where it ends."""
    path = flight(HOUR)
    with open(path, "a") as file:
        file.write("{broken\n")
    codes = [main(["plan", path]), main(["plan", path, "--up-to-fault"])]

    assert [2, 0] == codes
    assert "the record ends early: line 723: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["f.jsonl", "--server", ":1"], "a record or a running server, not both"),
        (["--force"], "--force: only with -o FILE"),
        (["--up-to-fault"], "--up-to-fault: only with FLIGHT.jsonl"),
        (["--seconds", "0"], "--seconds = 0: must be from 1 to 86400"),
        (["nowhere.jsonl"], "nowhere.jsonl: No such file or directory"),
    ],
)
def test_bad_usage_is_exit_code_2_and_one_line(words, expected, capsys):
    """Thing, value, rule."""
    assert main(["plan", *words]) == 2
    assert expected in capsys.readouterr().err


def test_settings_are_those_at_the_end_of_the_watch(monkeypatch):
    """A HUP may have changed them meanwhile: the plan is for what runs now."""
    first, middle, last = (a_whole_document() for _ in range(3))
    first["server"], last["server"] = first["server"] | {"gunicorn": "22.0.0"}, last["server"] | {"gunicorn": "27.0.1"}
    last["policy"] = last["policy"] | {"max_workers": 9}
    monkeypatch.setattr(plan, "watch", lambda *_: [first, middle, last])
    monkeypatch.setattr(plan, "ticks_of", lambda documents: documents)
    monkeypatch.setattr(plan, "observe", lambda *seen: seen)
    options = argparse.Namespace(server="http://127.0.0.1:1", token_file=None, seconds=1.0)
    server, policy, ticks = plan._from_server(options)

    assert ("27.0.1", 9, 3) == (server["gunicorn"], policy.max_workers, len(ticks))


class Terminal(io.StringIO):
    """A stderr that somebody looks at."""

    def isatty(self):
        """It is one."""
        return True


def test_a_terminal_is_told_how_long_it_takes(monkeypatch):
    """On stderr, in one line that is taken back at the end."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    plan.tell(5.0)
    plan.tell(0.0)

    assert ("\rwatching the server, 5 s left", "\r") == (terminal.getvalue().split("  ")[0], terminal.getvalue()[-1])


def test_a_server_nobody_asks_is_told_apart_from_one_that_is_not_there(monkeypatch, capsys):
    """It answers, but no request finished while it was watched."""
    monkeypatch.setattr(plan_sampling, "EVERY_SECONDS", 0.5)
    with answering(healthy_pages(a_whole_document())) as address:
        code = main(["plan", "--server", address, "--seconds", "1"])

    assert (2, True) == (code, "only 0 requests finished" in capsys.readouterr().err)
