"""Lines that a fix adds to a block."""

from __future__ import annotations

from collections.abc import Iterable

from gunicorn_autotune.nginx.tree import Directive


def not_yet(block: Directive, lines: Iterable[str]) -> str:
    """Those of the lines whose directive the block does not have: nginx refuses most of them a second time."""
    return "\n".join(line for line in lines if not block.children(line.split()[0].rstrip(";")))
