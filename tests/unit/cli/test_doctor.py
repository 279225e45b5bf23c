import json
import re

import pytest

from gunicorn_autotune.cli import doctor, main
from gunicorn_autotune.cli.checks_server import LOST_BEFORE_CURABLE
from gunicorn_autotune.cli.doctor import CHECKS, as_text, examine
from gunicorn_autotune.cli.finding import Finding, Level
from gunicorn_autotune.cli.probe import Probe
from gunicorn_autotune.cli.style import Style
from tests.unit.cli.hosts import HOSTS, ROOT, SYNC, a_gthread_probe, a_host, a_policy, a_probe, answer


def test_every_check_has_its_section_in_the_docs():
    """docs/doctor.md names each check once, in this order, and no other."""
    page = (ROOT / "docs" / "doctor.md").read_text()

    assert list(CHECKS) == re.findall(r"^### `(\w+)`$", page, re.MULTILINE)


@pytest.mark.parametrize("name", [path.name for path in sorted(HOSTS.iterdir())])
def test_no_check_fails_itself_on_a_recorded_host(name):
    """Whatever a host lacks is a finding, never an exception, and a warning always says what to do."""
    findings = examine(a_host(name))

    assert not [one for one in findings.values() if "the check itself failed" in one.finding]
    assert [name for name, one in findings.items() if bool(one.advice) is (one.level is Level.OK)] == []


def test_check_that_raises_does_not_hide_the_others(monkeypatch):
    """One odd file must not cost the whole examination."""

    def broken(host):
        raise RuntimeError("odd file")

    monkeypatch.setitem(doctor.CHECKS, "cgroup", broken)
    findings = examine(a_host())

    assert findings["cgroup"].finding == "the check itself failed: RuntimeError: odd file"
    assert findings["memory_limit"].level is Level.OK


@pytest.mark.parametrize(
    ("probe", "level", "part"),
    [
        (a_probe(), Level.OK, "27.0.1, with every private name"),
        (Probe(error="No module named 'gunicorn'"), Level.FAIL, "No module named 'gunicorn'"),
        (a_probe(gunicorn="21.2.0"), Level.FAIL, "21.2.0 is too old"),
        (a_probe(gunicorn="99.0", missing_names=("manage_workers",)), Level.FAIL, "99.0 has no manage_workers"),
    ],
)
def test_gunicorn_must_be_there_new_enough_and_whole(probe, level, part):
    """Else autotune would not start, or only observe."""
    finding = answer("gunicorn", a_host(probe=probe))

    assert (finding.level, part in finding.finding) == (level, True)


@pytest.mark.parametrize(
    ("probe", "level", "part"),
    [
        (a_probe(), Level.OK, "g.py: mode active"),
        (a_probe(error="NameError: x", settings={}), Level.FAIL, "g.py: NameError: x"),
        (a_probe(policy=None), Level.FAIL, "never calls install()"),
        (a_probe(policy=a_policy(mode="observe")), Level.WARN, "mode = 'observe'"),
    ],
)
def test_settings_must_load_and_install_autotune(probe, level, part):
    """A file that leaves Gunicorn untuned is a failure, one that only looks on a warning."""
    finding = answer("settings", a_host(location="g.py", probe=probe))

    assert (finding.level, part in finding.finding) == (level, True)


@pytest.mark.parametrize(
    ("location", "probe", "level", "part"),
    [
        (None, a_probe(gunicorn="26.2.0"), Level.WARN, "with gthread (not set here), Gunicorn 26.2.0 loses"),
        (None, a_probe(), Level.OK, "27.0.1 answers kept-alive requests"),
        ("g.py", a_probe(gunicorn="23.0.0"), Level.OK, "sync is not affected"),
        ("g.py", a_gthread_probe("23.0.0"), Level.WARN, "gthread 23.0.0 loses requests when a worker leaves, whoever"),
        ("g.py", a_gthread_probe(), Level.WARN, "keepalive = 2 s"),
        ("g.py", a_gthread_probe(keepalive=10), Level.OK, "keepalive 10 s: must be longer"),
        ("g.py", a_gthread_probe(keepalive=75), Level.OK, "answers kept-alive requests"),
    ],
)
def test_keep_alive_goes_by_version_class_and_time(location, probe, level, part):
    """Only gthread before 27.0.1 loses requests of a leaving worker; after it the proxy must close first."""
    finding = answer("keep_alive", a_host(location=location, probe=probe))

    assert (finding.level, part in finding.finding) == (level, True), finding


def test_figure_of_lost_requests_is_the_measured_one():
    """docs/reliability.md, gthread on 22.0.0 and 23.0.0: the least and the most of all rows."""
    page = (ROOT / "docs" / "reliability.md").read_text()
    old = page[page.index("### The same on Gunicorn 23.0.0") : page.index("## The fault suite")]
    lost = [int(number) for number in re.findall(r"^\| gthread.* (\d+) of 4,800", old, re.MULTILINE)]

    assert (12, f"{min(lost)} to {max(lost)} of 4,800") == (len(lost), LOST_BEFORE_CURABLE)


def test_proxy_is_a_cure_only_where_it_is_one():
    """Before 25.3.0 requests are lost whatever the proxy does."""
    advice = [
        answer("keep_alive", a_host(location="g.py", probe=a_gthread_probe(v))).advice for v in ("24.1.1", "25.3.0")
    ]

    assert ["no upstream keepalive" in one for one in advice] == [False, True]


def test_class_that_does_not_report_its_requests_is_a_warning():
    """It can be sized by queue and CPU only."""
    probe = a_probe(settings=SYNC | {"worker_class_str": "tornado"}, kind="unknown")

    assert answer("worker_class", a_host(probe=probe)).level is Level.WARN


FINDINGS = {
    "python": Finding(Level.OK, "fine"),
    "worker_tmp_dir": Finding(Level.WARN, "on a disk", "move it"),
    "gunicorn": Finding(Level.FAIL, "word " * 30, "advice " * 30),
}


def test_pipe_gets_one_line_for_each_check():
    """However long, so that grep finds finding and advice together."""
    lines = as_text(FINDINGS, Style()).splitlines()

    assert len(lines) == 3 + 2
    assert lines[:2] == ["  ok  python          fine", "warn  worker_tmp_dir  on a disk  -> move it"]
    assert lines[-1] == "1 ok, 1 warn, 1 FAIL"


def test_terminal_gets_wrapped_lines():
    """No line beyond its width; finding and advice keep their column."""
    lines = as_text(FINDINGS, Style(width=80)).splitlines()

    assert max(map(len, lines)) <= 80
    assert lines[1:3] == ["warn  worker_tmp_dir  on a disk", " " * 22 + "-> move it"]


@pytest.mark.parametrize(("level", "code"), [(Level.OK, 0), (Level.WARN, 0), (Level.FAIL, 1)])
def test_exit_code_is_1_only_when_something_fails(level, code, monkeypatch, capsys):
    """A warning is no reason to stop a deployment."""
    monkeypatch.setattr(doctor, "CHECKS", {"python": lambda host: Finding(level, "found", "do")})
    monkeypatch.setattr(doctor, "probe", lambda location: a_probe())

    assert main(["doctor", "--json", "--root", str(HOSTS / "podman")]) == code
    assert json.loads(capsys.readouterr().out) == [
        {"check": "python", "level": level.value, "finding": "found", "advice": "do"}
    ]


@pytest.mark.parametrize("arguments", [["--root", "/nowhere"], ["--config", "/nowhere/gunicorn.conf.py"]])
def test_place_that_is_not_there_is_bad_usage(arguments, capsys):
    """Exit code 2 and one line."""
    assert main(["doctor", *arguments]) == 2
    assert re.fullmatch(r"gunicorn-autotune doctor: --\w+ = '/nowhere.*': must be .*\n", capsys.readouterr().err)
