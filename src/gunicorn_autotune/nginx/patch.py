"""Several fixes as one change: each of them whole, or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gunicorn_autotune.nginx.edits import Edit, Edits, overlap

_REPEATED = frozenset({"access_log", "add_header", "allow", "deny", "error_page", "limit_conn", "limit_req", "listen",
                       "location", "proxy_set_header", "server", "upstream"})  # fmt: skip
"""Directives that may stand in one block more than once."""
_NAMED = ("log_format", "upstream")
"""Directives that define a name for the whole configuration: nginx refuses it a second time."""


def together(fixes: Iterable[Edits]) -> Edits:
    """The edits of all fixes that can be made at once, the first ones first.

    A fix is left out as a whole where a part of it would change lines that an earlier one changes, or set anew what an
    earlier one sets at the same place: half of a fix may be worse than none. Lines that an earlier one puts there
    already are not put there twice.
    """
    chosen: list[Edit] = []
    for fix in fixes:
        parts = [_left(edit, chosen) for edit in fix]
        if all(part is not None for part in parts):
            chosen += [part for part in dict.fromkeys(parts) if part is not None and part not in chosen]
    # What earlier fixes have done already is left as an insert of nothing.
    return tuple(edit for edit in chosen if edit.text or not _inserts(edit))


def _left(edit: Edit, chosen: Sequence[Edit]) -> Edit | None:
    """What is left to do of an edit; None where it stands in the way of others."""
    if edit in chosen:
        return edit
    others = [other for other in chosen if other.file == edit.file]
    if any(overlap(edit, other) for other in others) or _defined(edit) & {
        name for one in chosen for name in _defined(one)
    }:
        return None
    if not _inserts(edit):
        return edit
    there = [other.text for other in others if _inserts(other) and other.first_line == edit.first_line]
    if "{" in edit.text:
        return edit
    lines = [line for text in there if "{" not in text for line in text.splitlines()]
    fresh = [line for line in edit.text.splitlines() if line not in lines]
    set_twice = {_name(line) for line in fresh} & {_name(line) for line in lines} - _REPEATED
    return None if set_twice else replace(edit, text="\n".join(fresh))


def _defined(edit: Edit) -> set[str]:
    """`upstream gunicorn`, `log_format autotune`: what an edit adds."""
    lines = edit.text.splitlines() if _inserts(edit) else []
    return {" ".join(line.split()[:2]) for line in lines if line.startswith(_NAMED)}


def _inserts(edit: Edit) -> bool:
    return edit.last_line < edit.first_line


def _name(line: str) -> str:
    return line.split(None, 1)[0].rstrip(";") if line.strip() else ""
