"""A directive as a value."""

from __future__ import annotations

from dataclasses import replace

from gunicorn_autotune.nginx.read.tree import Directive


def test_a_copy_with_another_block_has_the_children_of_that_block() -> None:
    """What was looked up before does not come along."""
    child = Directive("keepalive", ("8",), "nginx.conf", 2, 2)
    block = Directive("upstream", ("shop",), "nginx.conf", 1, 3, (child,))

    before, after = block.children("keepalive"), replace(block, block=()).children("keepalive")

    assert ([child], []) == (before, after)
