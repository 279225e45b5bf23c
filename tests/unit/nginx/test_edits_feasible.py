"""A change is only proposed where it hits what it means."""

from __future__ import annotations

import pytest

from gunicorn_autotune.nginx.edits import feasible, replaced
from gunicorn_autotune.nginx.parse import parse
from tests.nginx_samples import MAIN, Files


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
    root = parse(Files({MAIN: text}), MAIN)
    line = next(one for one in root.walk() if one.name == "gzip")

    assert proposed == bool(feasible(root, replaced(line, "gzip off;")))


def test_a_block_on_one_line_is_replaced_with_all_that_it_holds() -> None:
    """Its own children are no neighbours."""
    root = parse(Files({MAIN: "http {\n    server { listen 80; }\n}"}), MAIN)
    server = next(one for one in root.walk() if one.name == "server")

    assert feasible(root, replaced(server, "server { }"))


def test_a_file_included_twice_does_not_stand_in_its_own_way() -> None:
    """The same line of the same file is one line."""
    texts = {
        MAIN: "http {\n    include /a.conf;\n    server {\n        include /a.conf;\n    }\n}",
        "/a.conf": "gzip on;\n",
    }
    root = parse(Files(texts), MAIN)
    line = next(one for one in root.walk() if one.name == "gzip")

    assert feasible(root, replaced(line, "gzip off;"))
