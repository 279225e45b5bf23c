"""What `nginx check` prints: notes in a line, no escapes of a configuration, and a patch of what was asked for."""

from __future__ import annotations

import pytest

from gunicorn_autotune.cli.nginx_explain import explained
from gunicorn_autotune.cli.nginx_input import Input
from gunicorn_autotune.cli.nginx_report import as_diff, as_text
from gunicorn_autotune.cli.style import CommandError, Style
from gunicorn_autotune.nginx.read.parse import parse
from gunicorn_autotune.nginx.rules import all_rules
from gunicorn_autotune.nginx.rules.check import check
from gunicorn_autotune.nginx.rules.finding import Severity
from tests.nginx_samples import MAIN, site_beside
from tests.nginx_words import Texts

ESCAPE = "\x1b]0;x\x07"
SITE = """\
events {}
http {
    upstream shop {
        server 127.0.0.1:8000;
    }
    server {
        listen 80;
        location / {
            proxy_pass http://shop;
        }
        location /other/ {
            proxy_pass http://$arg_to;
        }
        location %s {
            alias /srv/static/;
        }
    }
}
"""


def printed(least: Severity | None, place: str = "/static/", *, patch: bool = False, style: Style | None = None) -> str:
    """The report of a site with a location at `place`, as text or as a patch."""
    source = Texts({MAIN: SITE % place})
    root = parse(source, MAIN)
    site = site_beside(root, 'gunicorn.worker_class = "gthread"')
    given, report = Input(root, source, "files"), check(site, strict=True)
    if patch:
        return as_diff(given, report, least or Severity.WARNING, style or Style())
    return as_text(given, site, report, "", least, style or Style())


def test_a_note_is_one_line_unless_asked_for() -> None:
    """There are many of them, with long fixes."""
    assert [line for line in printed(None).splitlines() if "log_format" in line] == []


def test_notes_are_printed_in_full_when_asked_for() -> None:
    """--level info."""
    assert "log_format autotune" in printed(Severity.INFO)


def test_it_says_how_many_locations_lead_to_gunicorn() -> None:
    """An answer about none of them would look like a clean one."""
    assert "1 of 1 that name their target lead to Gunicorn" in printed(None)


def test_it_says_which_proxy_pass_could_not_be_followed() -> None:
    """One with a variable may lead to Gunicorn all the same."""
    assert f"not followed, a variable in proxy_pass: {MAIN}:12" in printed(None)


@pytest.mark.parametrize("patch", [False, True])
def test_no_escape_of_a_configuration_reaches_a_terminal(patch: bool) -> None:
    """A file of somebody else's could rename the window, or worse."""
    text = printed(Severity.INFO, f'"/static{ESCAPE}"', patch=patch, style=Style(width=100))

    assert ("\x1b" in text, "\\x1b]0;x\\x07" in text) == (False, True)


def test_a_patch_for_a_file_is_exact() -> None:
    """What is spelt out would not fit the lines it names."""
    assert f'-        location "/static{ESCAPE}"' in printed(Severity.WARNING, f'"/static{ESCAPE}"', patch=True)


def test_a_patch_leaves_notes_out() -> None:
    """Nobody has to act on them, and some change what the site does."""
    assert "proxy_read_timeout" not in printed(None, patch=True)


def test_a_patch_holds_notes_when_asked_for() -> None:
    """--diff --level info."""
    assert "proxy_read_timeout" in printed(Severity.INFO, patch=True)


def test_a_patch_tells_what_it_leaves_out() -> None:
    """The rest needs a decision, or was not asked for."""
    text = printed(None, patch=True)

    assert ("# Not in it, " in text, "# Left out, " in text) == (True, True)


def test_a_rule_that_speaks_of_many_places_is_told_of_the_first_twenty() -> None:
    """The others are counted by rule, and the sum counts all."""
    servers = "".join(
        f"server {{ listen 80; server_name s{n}; location / {{ proxy_pass http://a; }} }}\n" for n in range(50)
    )
    source = Texts({MAIN: f"events {{}}\nhttp {{\nupstream a {{ server 127.0.0.1:8000; }}\n{servers}}}\n"})
    root = parse(source, MAIN)
    site = site_beside(root, "gunicorn.timeout = 30")
    report = check(site, strict=True)

    text = as_text(Input(root, source, "files"), site, report, "", Severity.INFO, Style())

    many = sum(one.rule.id == "NGX301" for one in report.findings)
    assert (many, text.count("NGX301\n")) == (50, 20)
    assert "the same in more places: " in text and "NGX301 30" in text


def test_a_rule_that_does_not_exist_is_answered_with_those_that_do() -> None:
    """Exit code 2, and every rule with its title."""
    with pytest.raises(CommandError) as refused:
        explained("NGX999")

    assert refused.value.code == 2
    assert [line.split()[0] for line in str(refused.value).splitlines()[1:]] == [one.rule.id for one in all_rules()]
