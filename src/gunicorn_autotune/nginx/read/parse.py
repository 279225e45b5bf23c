"""A configuration as a tree, its includes in place.

Written here because crossplane takes no text and no `nginx -T`, knows directives up to 2022 only, and gixy-ng installs
another package over its module. The tests hold this reader against crossplane over a corpus, and against nginx.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from gunicorn_autotune.nginx.read.lexer import COMMENT, WORD, Token, lex
from gunicorn_autotune.nginx.read.reader import Files, NginxSyntaxError, Position, Source, printable
from gunicorn_autotune.nginx.read.tree import MAIN, Directive

MAX_BLOCKS_DEEP = 100
"""A limit of ours, as those in reader.py."""

_FREE = frozenset({"charset_map", "geo", "map", "split_clients", "types"})
"""Blocks whose lines begin with any word."""
_UNSEEN = {
    "\ufeff": "a byte order mark",
    "\ufeff".encode().decode("latin-1"): "a byte order mark",
    "\u00a0": "a no-break space",
    "\u200b": "a space without width",
}
"""What nginx takes for letters and an editor does not show."""
Ignores = dict[int, frozenset[str]]
"""Ids by line."""
_IGNORE = re.compile(r"#\s*autotune:\s*ignore((?:[\s,]+NGX\d+)+)", re.IGNORECASE)
_ID = re.compile(r"NGX\d+")
_NOTHING: frozenset[str] = frozenset()


def parse(source: Source, path: str) -> Directive:
    """The tree of the configuration in `path`: `main`, with each include followed by what it included.

    Relative includes start from the folder of `path`, whichever file names them. Names are not judged: an unknown
    directive is a directive. `*_by_lua_block` is a directive without a block, its code the last argument.
    Raises NginxSyntaxError, and nothing else, for any text.
    """
    files = Files(source, path[: path.rfind("/") + 1])
    children, lines = _read(files, path, Position(path, 1, MAIN, 0, ()))
    return Directive(MAIN, (), path, 1, lines, tuple(children))


@dataclass(slots=True)
class _Block:
    """A block whose closing brace is yet to come; the outermost of a file is the file."""

    words: list[str]
    line: int
    brace_line: int
    children: list[Directive] = field(default_factory=list)


def _read(files: Files, path: str, asked: Position) -> tuple[list[Directive], int]:
    """The directives of a file, and how many lines it has."""
    chain = asked.enter(path)
    text = files.text(path, asked)
    ignores = _ignores_of(text, path)
    blocks = [_Block([asked.block], 1, 1)]
    for words, line, mark in _statements(text, path):
        place = Position(path, line, blocks[-1].words[0], asked.depth + len(blocks) - 1, chain)
        files.directive(place)
        if mark.text == "{":
            _check_block(words, place)
            blocks.append(_Block(words, line, mark.line))
        elif mark.text == ";":
            ids = _ignored_on(ignores, line, mark.line)
            blocks[-1].children += _simple(words, place, mark.line, ids, files)
        elif len(blocks) == 1:
            raise NginxSyntaxError(path, mark.line, 'unexpected "}"')
        else:
            closed = blocks.pop()
            ids = _ignored_on(ignores, closed.line, closed.brace_line)
            blocks[-1].children.append(_directive(closed.words, path, closed.line, mark.line, ids, closed.children))
    lines = text.count("\n") + 1
    if len(blocks) > 1:
        opened = f'"{printable(blocks[-1].words[0])}" of line {blocks[-1].line}'
        raise NginxSyntaxError(path, lines, f'unexpected end of file, expecting "}}" of {opened}')
    return blocks[0].children, max(1, lines - text.endswith("\n"))


def _statements(text: str, file: str) -> Iterator[tuple[list[str], int, Token]]:
    """The words of a directive, the line of the first, and the `;` or `{` behind; no words before a `}`."""
    words: list[str] = []
    line = 1
    for token in lex(text, file):
        if token.kind == WORD:
            line = line if words else token.line
            words.append(token.text)
        elif token.kind != COMMENT:
            yield words, line, token
            words = []


def _simple(
    words: list[str], place: Position, last_line: int, ids: frozenset[str], files: Files
) -> Iterator[Directive]:
    """A directive that ends with `;`, and what it includes."""
    _check_name(words[0], place)
    yield _directive(words, place.file, place.line, last_line, ids, None)
    if words[0] == "include":
        if len(words) != 2:
            raise place.refuse('invalid number of arguments in "include" directive')
        for path in files.named(words[1], place):
            yield from _read(files, path, place)[0]


def _directive(
    words: list[str], file: str, line: int, last_line: int, ids: frozenset[str], block: list[Directive] | None
) -> Directive:
    return Directive(words[0], tuple(words[1:]), file, line, last_line, None if block is None else tuple(block), ids)


def _check_block(words: list[str], place: Position) -> None:
    _check_name(words[0], place)
    if words[0] == "include":
        raise place.refuse('directive "include" is not terminated by ";"')
    if place.depth >= MAX_BLOCKS_DEEP:
        raise place.refuse(f"more than {MAX_BLOCKS_DEEP} nested blocks")


def _check_name(name: str, place: Position) -> None:
    if name.isascii() or place.block in _FREE:
        return
    for unseen, words in _UNSEEN.items():
        if unseen in name:
            raise place.refuse(f'unknown directive "{printable(name)}": nginx takes {words} for a letter')


def _ignores_of(text: str, file: str) -> Ignores:
    """Of a file that may yet prove wrong: what stands before the error."""
    found: Ignores = {}
    if "autotune:" not in text:
        return found
    try:
        for token in lex(text, file):
            if token.kind == COMMENT and (match := _IGNORE.match(token.text)):
                found[token.line] = frozenset(_ID.findall(match[1].upper()))
    except NginxSyntaxError:
        pass
    return found


def _ignored_on(ignores: Ignores, first_line: int, last_line: int) -> frozenset[str]:
    """The ids of all lines from the first to the last."""
    if not ignores:
        return _NOTHING
    return _NOTHING.union(*(ignores.get(line, _NOTHING) for line in range(first_line, last_line + 1)))
