"""What the virtual machine tells, from pytest's file to the page; the machine itself is in `make test-vm`."""

from __future__ import annotations

from benchmarks.faults.page import markdown
from benchmarks.faults.tables import tables
from tests.vm import image, results

JUNIT = """<testsuites><testsuite>
<testcase classname="tests.vm.inside.test_a" name="test_nothing_is_lost[reload]" time="12.4">
 <properties><property name="failed" value="0 of 90"/></properties></testcase>
<testcase classname="tests.vm.inside.test_a" name="test_all_is_seen" time="3">
 <failure message="assert 1 == 2&#10;more"/>
</testcase>
<testcase classname="tests.vm.inside.test_b" name="test_it_starts" time="0.2"><error message="no port"/></testcase>
</testsuite></testsuites>"""


def test_every_promise_is_a_row_with_its_figures() -> None:
    """Names as sentences; an error is a failure."""
    told = results.document(JUNIT, "Debian")

    assert markdown(tables("vm", told)[0])[2:] == [
        "| promise |  | figures |",
        "|---|---|---|",
        "| nothing is lost (reload) | kept | failed 0 of 90 |",
        "| all is seen | **broken** |  |",
        "| it starts | **broken** |  |",
        "",
    ]


def test_the_terminal_says_why_a_promise_was_broken() -> None:
    """The first line of the failure, and the count."""
    text = results.text(results.document(JUNIT, "Debian"))

    assert "assert 1 == 2" in text
    assert text.endswith("1 of 3 passed")


def test_the_image_is_made_anew_when_a_package_is_added(monkeypatch) -> None:
    """And only when something goes into it."""
    before = image.digest()
    same = image.digest()
    monkeypatch.setattr(image, "PACKAGES", (*image.PACKAGES, "strace"))

    assert (same == before, image.digest() == before) == (True, False)
