"""All rules over one site: order, ignoring, what could not be checked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gunicorn_autotune.nginx.rules import Listed
from gunicorn_autotune.nginx.rules.check import check
from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity, at
from gunicorn_autotune.nginx.site.site import Site
from tests.nginx_samples import MAIN, site_from

LOW = Rule("NGX998", Severity.INFO, "low")
HIGH = Rule("NGX999", Severity.ERROR, "high")


def speaking(rule: Rule) -> Listed:
    """A rule that finds every `listen`."""

    def find(site: Site) -> Iterator[Finding]:
        for scope in site.scopes("server"):
            for listen in scope.here.children("listen"):
                yield at(rule, listen, "here", fix="-")

    return Listed(rule, find, "")


def failing(site: Site) -> Iterator[Finding]:
    """A rule with a fault."""
    raise KeyError("oops")


TEXT = """events {}
http {
    server {
        listen 80;
        listen 81; # autotune: ignore NGX999
    }
}
"""


def test_the_worst_stands_first() -> None:
    """Then by file and line."""
    found = check(site_from({MAIN: TEXT}), [speaking(LOW), speaking(HIGH)]).findings

    assert [(one.rule.id, one.line) for one in found] == [("NGX999", 4), ("NGX998", 4), ("NGX998", 5)]


def test_a_comment_on_the_line_switches_a_rule_off_there() -> None:
    """Only that rule, only that line; it is counted."""
    report = check(site_from({MAIN: TEXT}), [speaking(HIGH)])

    assert [one.line for one in report.findings] == [4]
    assert [one.line for one in report.ignored] == [5]


def test_a_file_included_twice_speaks_once() -> None:
    """The operator changes one line."""
    text = "events {}\nhttp {\n server { include one.conf; }\n server { include one.conf; }\n}\n"
    report = check(site_from({MAIN: text, "/etc/nginx/one.conf": "listen 80;\n"}), [speaking(HIGH)])

    assert len(report.findings) == 1


def test_a_rule_without_what_it_needs_is_listed_as_not_checked() -> None:
    """It is not silent as if all were well."""
    rule = Rule("NGX997", Severity.ERROR, "needs", frozenset({Need.GUNICORN}))
    report = check(site_from({MAIN: TEXT}), [speaking(rule)])

    assert report.findings == () and report.unchecked == {Need.GUNICORN: (rule,)}


def test_a_rule_that_fails_does_not_silence_the_others() -> None:
    """It is reported as a note."""
    report = check(site_from({MAIN: TEXT}), [Listed(LOW, failing, ""), speaking(HIGH)])

    assert [one.rule.id for one in report.findings] == ["NGX999", "NGX998"]
    assert "the rule itself failed" in report.findings[1].message


def test_a_failing_rule_fails_in_tests() -> None:
    """Strict checks hide nothing."""
    with pytest.raises(KeyError):
        check(site_from({MAIN: TEXT}), [Listed(LOW, failing, "")], strict=True)
