"""A change is only proposed where it hits what it means."""

from __future__ import annotations

import pytest

from gunicorn_autotune.nginx.read.parse import parse
from gunicorn_autotune.nginx.write.edits import (
    added_after,
    added_before,
    added_in,
    changed,
    feasible,
    lines_of,
    replaced,
)
from tests.nginx_samples import MAIN
from tests.nginx_words import Texts


@pytest.mark.parametrize(
    ("text", "proposed"),
    [
        ("http {\n    gzip on;\n}", True),
        ("http {\n    gzip\n        on;\n}", True),
        ("http { gzip on; }", False),
        ("http {\n    gzip on; sendfile on;\n}", False),
        ("http { gzip on;\n}", False),
        ("http {\n    server { }\n    gzip on; }", False),
    ],
    ids=["own-line", "two-lines", "block-on-its-line", "neighbour", "opening-line", "closing-line"],
)
def test_a_directive_is_replaced_only_where_it_has_its_lines_for_itself(text: str, proposed: bool) -> None:
    """Whatever else begins or ends on the same line would be lost."""
    root = parse(Texts({MAIN: text}), MAIN)
    line = next(one for one in root.walk() if one.name == "gzip")

    assert proposed == bool(feasible(lines_of(root), replaced(line, "gzip off;")))


def test_a_block_on_one_line_is_replaced_with_all_that_it_holds() -> None:
    """Its own children are no neighbours."""
    root = parse(Texts({MAIN: "http {\n    server { listen 80; }\n}"}), MAIN)
    server = next(one for one in root.walk() if one.name == "server")

    assert feasible(lines_of(root), replaced(server, "server { }"))


def test_a_file_included_twice_does_not_stand_in_its_own_way() -> None:
    """The same line of the same file is one line."""
    texts = {
        MAIN: "http {\n    include /a.conf;\n    server {\n        include /a.conf;\n    }\n}",
        "/a.conf": "gzip on;\n",
    }
    root = parse(Texts(texts), MAIN)
    line = next(one for one in root.walk() if one.name == "gzip")

    assert feasible(lines_of(root), replaced(line, "gzip off;"))


BLOCK = "http {\n    location /s {\n        alias /s;\n    }\n    gzip on;\n}\n"


def test_nothing_is_put_into_the_midst_of_a_block_that_is_replaced() -> None:
    """Two rules about one block: the first one's block stays whole."""
    block = next(one for one in parse(Texts({MAIN: BLOCK}), MAIN).walk() if one.name == "location")
    both = replaced(block, "location /s/ {\n    alias /s/;\n}") + added_in(block, "expires 1d;")

    assert "http {\n    location /s/ {\n        alias /s/;\n    }\n    gzip on;\n}\n" == changed(BLOCK, both)


def test_lines_before_and_after_a_replaced_directive_are_kept() -> None:
    """They touch it, but do not lie in it."""
    line = next(one for one in parse(Texts({MAIN: BLOCK}), MAIN).walk() if one.name == "gzip")
    all_three = replaced(line, "gzip off;") + added_before(line, "etag on;") + added_after(line, "sendfile on;")

    assert "    etag on;\n    gzip off;\n    sendfile on;\n}\n" in changed(BLOCK, all_three)
