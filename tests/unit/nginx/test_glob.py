"""glob(3), asked by tests/integration/test_nginx_lexing.py from nginx itself."""

from __future__ import annotations

import pytest

from gunicorn_autotune.nginx.read.glob import name_matches, path_matches

FITS = {
    "*": "ab",
    "*.conf": "a.conf",
    "a*b*c": "a-b-b-c",
    "?": "x",
    "[a-c]x": "bx",
    "[!a]x": "bx",
    "[^a]x": "bx",
    "[]a]": "]",
    "[a-]": "-",
    "[": "[",
    "[a": "[a",
    r"\*": "*",
    ".*": ".x",
    "a**": "a",
}
FAILS = {
    "*": ".hidden",
    "?x": ".x",
    "*.conf": "a.conf~",
    "a*b*a": "ab",
    "[a-c]x": "dx",
    "[!a]x": "ax",
    r"\*": "x",
    "[z-a]": "b",
    "ab*ba": "aba",
    "": "a",
}


@pytest.mark.parametrize(("pattern", "name"), FITS.items())
def test_a_name_fits(pattern: str, name: str) -> None:
    """Wildcards, sets, escapes."""
    assert name_matches(pattern, name)


@pytest.mark.parametrize(("pattern", "name"), FAILS.items())
def test_a_name_does_not_fit(pattern: str, name: str) -> None:
    """Hidden files least of all."""
    assert not name_matches(pattern, name)


def test_a_wildcard_stays_within_its_folder() -> None:
    """`*` matches no `/`, twice no more than once."""
    assert path_matches("/a/*/c", "/a/b/c")
    assert not path_matches("/a/**", "/a/b/c")
