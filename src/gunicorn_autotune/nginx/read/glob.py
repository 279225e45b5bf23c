"""glob(3) as nginx calls it for `include`: `*`, `?`, `[a-z]`, `[!a-z]` or `[^a-z]`, and backslash escapes.

A wildcard matches no `/`, and no dot at the start of a name. No braces, no `**`, no character classes by name.
"""

from __future__ import annotations

from typing import NamedTuple


class _Char(NamedTuple):
    """What one character may be."""

    ranges: tuple[tuple[str, str], ...] = ()
    negated: bool = True

    def takes(self, char: str) -> bool:
        return any(low <= char <= high for low, high in self.ranges) != self.negated


_ANY = _Char()
_Piece = list[_Char]
"""What stands between two `*`."""


def is_pattern(path: str) -> bool:
    """nginx globs whenever one of `*?[` is there, and opens the file as named otherwise."""
    return any(char in path for char in "*?[")


def literal(part: str) -> str:
    """A part without wildcards as a name: escapes taken out."""
    return "".join(char.ranges[0][0] for piece in _pieces(part) for char in piece)


def path_matches(pattern: str, path: str) -> bool:
    """Whether a whole path fits, part by part."""
    parts, names = pattern.split("/"), path.split("/")
    return len(parts) == len(names) and all(map(name_matches, parts, names))


def name_matches(pattern: str, name: str) -> bool:
    """Whether a name without `/` fits a pattern without `/`."""
    pieces = _pieces(pattern)
    if name.startswith(".") and not pattern.startswith((".", "\\.")):
        return False
    if len(pieces) == 1:
        return len(pieces[0]) == len(name) and _fits(pieces[0], name, 0)
    first, *middle, last = pieces
    at, end = len(first), len(name) - len(last)
    if at > end or not (_fits(first, name, 0) and _fits(last, name, end)):
        return False
    # The leftmost place is the best one for each piece, as a `*` follows it: no backtracking, so no slow pattern.
    for piece in middle:
        at = next((place for place in range(at, end - len(piece) + 1) if _fits(piece, name, place)), end)
        at += len(piece)
        if at > end:
            return False
    return True


def _fits(piece: _Piece, name: str, at: int) -> bool:
    return all(char.takes(name[at + offset]) for offset, char in enumerate(piece))


def _pieces(pattern: str) -> list[_Piece]:
    pieces: list[_Piece] = [[]]
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "*":
            pieces.append([])
        elif char == "[" and (bracket := _bracket(pattern, at + 1)):
            pieces[-1].append(bracket[0])
            at = bracket[1]
            continue
        elif char == "?":
            pieces[-1].append(_ANY)
        else:
            at += char == "\\" and at + 1 < len(pattern)
            pieces[-1].append(_Char(((pattern[at], pattern[at]),), False))
        at += 1
    return pieces


def _bracket(pattern: str, at: int) -> tuple[_Char, int] | None:
    """The set that starts at `at`, behind its `[`, and where it ends; None for a `[` that is just that."""
    negated = pattern[at : at + 1] in ("!", "^")
    at += negated
    first = at
    ranges: list[tuple[str, str]] = []
    while at < len(pattern):
        if pattern[at] == "]" and at > first:
            return _Char(tuple(ranges), negated), at + 1
        at += pattern[at] == "\\" and at + 1 < len(pattern)
        low = high = pattern[at]
        at += 1
        if pattern[at : at + 1] == "-" and pattern[at + 1 : at + 2] not in ("", "]"):
            high = pattern[at + 1]
            at += 2
        ranges.append((low, high))
    return None
