"""Configurations of nginx as trees, by hand."""

from __future__ import annotations

from gunicorn_autotune.nginx.read.tree import MAIN, Directive

FILE = "/nonexistent/nginx.conf"


def a_directive(text: str, *block: Directive, file: str = FILE) -> Directive:
    """`a_directive("listen 80")`; with further ones a block around them."""
    name, *words = text.split()
    return Directive(name, tuple(words), file, 1, 1, block or None)


def a_config(*directives: Directive, file: str = FILE) -> Directive:
    """The main block around these."""
    return Directive(MAIN, (), file, 1, 1, directives)
