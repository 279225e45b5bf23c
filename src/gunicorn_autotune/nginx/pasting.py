"""Lines that a fix adds to a block."""

from __future__ import annotations

from collections.abc import Iterable

from gunicorn_autotune.nginx.tree import Directive


def not_yet(block: Directive, lines: Iterable[str]) -> str:
    """Those of the lines whose directive the block does not have: nginx refuses most of them a second time."""
    written = {child.name for child in block.block or ()}
    return "\n".join(line for line in lines if line.split()[0].rstrip(";") not in written)
