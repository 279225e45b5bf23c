"""Fixes as changes of the files read."""

from __future__ import annotations

import pytest

from gunicorn_autotune.nginx.read.parse import parse
from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.rules.shared.places import added
from gunicorn_autotune.nginx.write.edits import (
    added_after,
    added_before,
    added_in,
    changed,
    diff,
    feasible,
    lines_of,
    removed,
    replaced,
)
from tests.nginx_samples import MAIN
from tests.nginx_words import Texts

TEXT = """\
events {}
http {
    upstream shop {
        server 127.0.0.1:8000;   # ours
        keepalive 32;
    }
}
"""
ONE_LINE = "events {}\nhttp { upstream shop { server 127.0.0.1:8000; keepalive 32; } }\n"


def tree(text: str) -> Directive:
    """Parsed as /etc/nginx/nginx.conf."""
    return parse(Texts({MAIN: text}), MAIN)


def named(root: Directive, name: str) -> Directive:
    """The first directive of a name."""
    return next(one for one in root.walk() if one.name == name)


@pytest.mark.parametrize(("text", "edits"), [(TEXT, 2), (ONE_LINE, 1)])
def test_two_lines_for_a_block_are_an_edit_each_unless_it_stands_in_one_line(text: str, edits: int) -> None:
    """So two rules that want the same line ask for the same edit; one line can be written anew only once."""
    block = named(tree(text), "upstream")

    assert edits == len(added([(block, "zone shop 64k;"), (block, "keepalive_timeout 4s;")]))


def test_a_line_added_to_a_block_stands_before_its_brace() -> None:
    """With the indentation of the lines around."""
    after = changed(TEXT, added_in(named(tree(TEXT), "upstream"), "keepalive_timeout 4s;"))

    assert "        keepalive 32;\n        keepalive_timeout 4s;\n    }\n" in after


def test_a_line_added_before_keeps_the_comment_of_its_neighbour() -> None:
    """Nothing of the line itself is written anew."""
    after = changed(TEXT, added_before(named(tree(TEXT), "server"), "least_conn;"))

    assert "        least_conn;\n        server 127.0.0.1:8000;   # ours\n" in after


def test_a_line_added_after_stands_on_the_next_line() -> None:
    """With the indentation of the line before."""
    after = changed(TEXT, added_after(named(tree(TEXT), "keepalive"), "keepalive_time 2s;"))

    assert "        keepalive 32;\n        keepalive_time 2s;\n    }\n" in after


def test_a_removed_directive_leaves_no_empty_line() -> None:
    """Its lines are gone, no others."""
    after = changed(TEXT, removed(named(tree(TEXT), "keepalive")))

    assert after == TEXT.replace("        keepalive 32;\n", "")


def test_changes_at_one_place_keep_their_order() -> None:
    """Two inserts stand as they were asked for, and a replaced line below them is the right one."""
    line = named(tree(TEXT), "keepalive")
    edits = added_before(line, "one;") + added_before(line, "two;") + replaced(line, "keepalive 8;")

    assert "        one;\n        two;\n        keepalive 8;\n    }\n" in changed(TEXT, edits)


def test_the_same_change_asked_for_twice_is_made_once() -> None:
    """Two rules may propose one line."""
    edits = added_in(named(tree(TEXT), "upstream"), "zone shop 64k;")

    assert changed(TEXT, edits + edits).count("zone shop") == 1


def test_a_line_that_holds_more_than_its_directive_is_not_touched() -> None:
    """Replacing it would delete the neighbours."""
    root = tree(ONE_LINE)

    assert feasible(lines_of(root), replaced(named(root, "keepalive"), "keepalive 8;")) == ()


def test_a_block_on_one_line_is_written_anew_to_take_another_line() -> None:
    """There is no line of its own to put it between."""
    text = "events {}\nhttp {\n    upstream shop { server 127.0.0.1:8000; keepalive 32; }\n}\n"
    root = tree(text)
    edits = feasible(lines_of(root), added_in(named(root, "upstream"), "keepalive_time 2s;"))

    after = tree(changed(text, edits))

    assert [one.text for one in named(after, "upstream").block or ()] == [
        "server 127.0.0.1:8000",
        "keepalive 32",
        "keepalive_time 2s",
    ]


@pytest.mark.parametrize("text", ['server ""127.0.0.1:8000;', "}", "{", "location / {", 'add_header A "b'])
def test_a_change_that_is_no_whole_directive_is_not_proposed(text: str) -> None:
    """Odd words of the file may have got into it."""
    root = tree(TEXT)

    assert feasible(lines_of(root), added_in(named(root, "upstream"), text)) == ()


def test_lines_are_counted_as_nginx_counts_them() -> None:
    """A form feed or U+2028 in a comment ends no line; splitlines() would say so."""
    text = TEXT.replace("# ours", "# ours\f and\u2028mine\r")

    after = changed(text, removed(named(tree(text), "keepalive")))

    assert after == text.replace("        keepalive 32;\n", "")


@pytest.mark.parametrize("end", ["\n", ""], ids=["with a last newline", "without"])
def test_a_diff_names_files_as_patch_wants_them(end: str) -> None:
    """`patch -d / -p1` takes it, whatever the last line looks like."""
    text = TEXT.rstrip("\n") + end
    shown = diff({MAIN: text}, removed(named(tree(text), "keepalive")))

    assert shown.startswith("--- a/etc/nginx/nginx.conf\n+++ b/etc/nginx/nginx.conf\n@@ ")
    assert "\n-        keepalive 32;\n" in shown
