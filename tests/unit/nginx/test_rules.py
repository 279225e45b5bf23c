"""Every rule: speaks where it should, is silent where it should be, and its fix cures what it found."""

from __future__ import annotations

import re

import pytest

from gunicorn_autotune.nginx.rules import Listed, all_rules
from gunicorn_autotune.nginx.rules.check import check
from gunicorn_autotune.nginx.write.edits import changed
from tests.nginx_pages import place
from tests.nginx_samples import RULES, files_of, sample, site_from

LISTED = {listed.rule.id: listed for listed in all_rules()}


@pytest.mark.parametrize("listed", LISTED.values(), ids=LISTED)
def test_it_fires_on_its_firing_sample(listed: Listed) -> None:
    """The sample has the fault, and the rule says so with a fix."""
    report = check(sample(place(listed.rule.id, "fires")), [listed], strict=True)

    assert report.unchecked == {}
    assert {one.rule.id for one in report.findings} == {listed.rule.id}
    assert all(one.fix for one in report.findings)


@pytest.mark.parametrize("listed", LISTED.values(), ids=LISTED)
def test_it_is_silent_on_its_silent_sample(listed: Listed) -> None:
    """The sample is the cured one, checked and not merely skipped."""
    report = check(sample(place(listed.rule.id, "silent")), [listed], strict=True)

    assert report.unchecked == {}
    assert report.findings == ()


@pytest.mark.parametrize("listed", LISTED.values(), ids=LISTED)
def test_its_proposed_change_cures_what_it_found(listed: Listed) -> None:
    """A diff that is shown to an operator ends the finding, or none is shown."""
    texts = files_of(place(listed.rule.id, "fires"))
    found = check(site_from(texts), [listed], strict=True).findings
    edits = [edit for one in found for edit in one.edits]
    after = {path: changed(text, [edit for edit in edits if edit.file == path]) for path, text in texts.items()}

    left = check(site_from(after), [listed], strict=True).findings

    assert [one.message for one in left if one.message in {one.message for one in found if one.edits}] == []


@pytest.mark.parametrize("listed", LISTED.values(), ids=LISTED)
def test_it_finds_nothing_where_there_is_nothing(listed: Listed) -> None:
    """Nothing but `events {}`, with a Gunicorn beside it and without."""
    for said in ("", '#: gunicorn.worker_class = "gthread"\n'):
        assert check(site_from({"/etc/nginx/nginx.conf": said + "events {}\n"}), [listed], strict=True).findings == ()


@pytest.mark.parametrize("listed", LISTED.values(), ids=LISTED)
def test_its_module_is_its_page(listed: Listed) -> None:
    """The file is named after the rule and what it finds, and its docstring has a first sentence and a reason."""
    number, _, found = listed.check.__module__.rpartition(".")[2].partition("_")
    assert (number, found != "") == (listed.rule.id.lower(), True)
    assert re.match(r"\S[^\n]*\.\n\n\S", listed.page)


def test_every_folder_of_samples_belongs_to_a_rule() -> None:
    """No sample without its rule."""
    assert {path.name for path in RULES.iterdir()} == set(LISTED)
