"""A fix as a change of the files read, and several fixes as one change: shown as a diff, never carried out."""

from __future__ import annotations

import difflib
import functools
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gunicorn_autotune.nginx.read.lexer import MARK, lex
from gunicorn_autotune.nginx.read.reader import NginxSyntaxError
from gunicorn_autotune.nginx.read.tree import Directive

_REPEATED = frozenset(
    [
        "access_log",
        "add_header",
        "allow",
        "deny",
        "error_page",
        "limit_conn",
        "limit_req",
        "listen",
        "location",
        "proxy_set_header",
        "server",
        "upstream",
    ]
)
"""Directives that may stand in one block more than once."""
_NAMED = ("log_format", "upstream")
"""Directives that define a name for the whole configuration: nginx refuses it a second time."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Lines of one file replaced by others, or new lines put between two."""

    file: str
    first_line: int
    """From 1."""
    last_line: int
    """first_line - 1 where nothing is replaced."""
    text: str
    """New lines without the indentation of the place; empty to delete."""
    target: Directive | None = field(default=None, compare=False)
    """Whose lines must hold nothing else, or the edit would hit its neighbours; None: they need not."""


Edits = tuple[Edit, ...]


def replaced(directive: Directive, text: str) -> Edits:
    """A directive with all its lines replaced by `text`."""
    return (Edit(directive.file, directive.line, directive.last_line, text, directive),)


def removed(directive: Directive) -> Edits:
    """A directive deleted."""
    return replaced(directive, "")


def added_before(directive: Directive, text: str) -> Edits:
    """`text` in lines of its own before a directive."""
    return (Edit(directive.file, directive.line, directive.line - 1, text, directive),)


def added_after(directive: Directive, text: str) -> Edits:
    """`text` in lines of its own after a directive."""
    after = directive.last_line + 1
    return (Edit(directive.file, after, after - 1, text, directive),)


def added_in(block: Directive, text: str) -> Edits:
    """`text` as the last lines of a block, in the file where the block ends.

    () for `main` and for a block whose end shares its line with a child's: there is no line to put it between.
    """
    if block.line == block.last_line:
        return replaced(block, printed(block, text))
    # From the end: a server of thousands of locations is asked for each of them.
    own = (child for child in reversed(block.block or ()) if child.file == block.file)
    last = itertools.takewhile(lambda child: child.last_line >= block.last_line, own)
    crossed = any(child.line < block.last_line for child in last)
    return () if crossed or block.name == "main" else (Edit(block.file, block.last_line, block.last_line - 1, text),)


def printed(block: Directive, more: str = "") -> str:
    """A block written out, a line for each directive, with `more` as its last lines."""
    head = " ".join((block.name, *map(quoted, block.args)))
    if block.block is None:
        return f"{head};"
    inner = [printed(child) for child in block.block if child.file == block.file] + ([more] if more else [])
    return "\n".join([f"{head} {{", *(f"    {line}" for text in inner for line in text.split("\n")), "}"])


def quoted(word: str) -> str:
    """A word as it can stand in a configuration; quotes where it holds what would end it."""
    if (word and not any(letter in word for letter in " \t\r\n;{}\"'#\\")) or word.startswith("${"):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


Lines = Mapping[tuple[str, int], list[Directive]]
"""What begins or ends on a line of a file."""


def lines_of(root: Directive) -> Lines:
    """Every line that a directive begins or ends on."""
    found: dict[tuple[str, int], list[Directive]] = {}
    for one in root.walk():
        for line in {one.line, one.last_line}:
            found.setdefault((one.file, line), []).append(one)
    return found


def feasible(lines: Lines, edits: Iterable[Edit]) -> Edits:
    """The edits that are whole directives, on lines that hold nothing but theirs and what is in it."""
    return tuple(edit for edit in edits if not _shares_lines(edit.target, lines) and _is_whole(edit.text))


@functools.lru_cache(maxsize=256)
def _is_whole(text: str) -> bool:
    """Words of an odd configuration may have got into it, with quotes that end in the wrong place."""
    try:
        marks = [token.text for token in lex(text, "") if token.kind == MARK]
    except NginxSyntaxError:
        return False
    depths = list(itertools.accumulate({"{": 1, "}": -1}.get(mark, 0) for mark in marks))
    return not depths or (min(depths) >= 0 and depths[-1] == 0)


def _shares_lines(target: Directive | None, lines: Lines) -> bool:
    if target is None:
        return False
    own = {_mark(target), *map(_mark, target.walk())}
    touching = (one for line in range(target.line, target.last_line + 1) for one in lines.get((target.file, line), ()))
    return any(_mark(one) not in own for one in touching)


def _mark(one: Directive) -> tuple[object, ...]:
    """The same for a line once more, of a file that is included twice."""
    return one.file, one.line, one.last_line, one.name, one.args


def changed(text: str, edits: Iterable[Edit]) -> str:
    """A file's text with the edits of that file in it; of two that overlap, the first one counts."""
    lines = lines_in(text if text.endswith("\n") or not text else text + "\n")
    chosen: list[Edit] = []
    for edit in dict.fromkeys(edits):
        if not any(overlap(edit, other) for other in chosen):
            chosen.append(edit)
    # From the end, so that the numbers of the lines above stay true. At one place: replace, then insert the last first.
    chosen.sort(key=lambda edit: (edit.first_line, edit.last_line))
    for edit in reversed(chosen):
        indent = _indent(lines, edit)
        new = [f"{indent}{line}\n" if line else "\n" for line in (edit.text.split("\n") if edit.text else ())]
        lines[edit.first_line - 1 : edit.last_line] = new
    return "".join(lines)


def lines_in(text: str) -> list[str]:
    """With their ends, as nginx counts: at line feeds only, where splitlines() also splits at form feeds and more."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def overlap(one: Edit, other: Edit) -> bool:
    """Whether two edits of one file touch the same lines, or one puts lines amid what the other replaces."""
    if one.last_line < one.first_line and other.last_line < other.first_line:
        return False
    return one.first_line <= other.last_line and other.first_line <= one.last_line


def _indent(lines: list[str], edit: Edit) -> str:
    """Of the line replaced; for an insert, of the line before, one level deeper where that opens a block."""
    at = edit.first_line - 1
    if edit.last_line >= edit.first_line or (edit.target is not None and edit.target.line == edit.first_line):
        model, deeper = lines[at] if at < len(lines) else "", ""
    else:
        model = next((line for line in reversed(lines[:at]) if line.strip()), "")
        deeper = "    " if model.rstrip().endswith("{") else ""
    return model[: len(model) - len(model.lstrip())] + deeper


def diff(texts: Mapping[str, str], edits: Iterable[Edit]) -> str:
    """A unified diff for `patch -d / -p1` over the files that `edits` change; one without a text here is left out."""
    by_file: dict[str, list[Edit]] = {}
    for edit in edits:
        by_file.setdefault(edit.file, []).append(edit)
    parts: list[str] = []
    for file, own in sorted(by_file.items()):
        if file in texts:
            before, after = texts[file], changed(texts[file], own)
            parts += difflib.unified_diff(lines_in(before), lines_in(after), f"a{file}", f"b{file}", n=2)
    return "".join(part if part.endswith("\n") else part + "\n\\ No newline at end of file\n" for part in parts)


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


def not_yet(block: Directive, lines: Iterable[str]) -> str:
    """Those of the lines whose directive the block does not have: nginx refuses most of them a second time."""
    return "\n".join(line for line in lines if not block.children(line.split()[0].rstrip(";")))
