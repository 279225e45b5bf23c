"""Our trees beside those of crossplane 0.5.8, nginx's own reader, over the corpus.

Where crossplane reads otherwise than nginx, and we as nginx:
- it takes the parentheses off `if ($a = b)`;
- it leaves `\\\\`, `\\n`, `\\r` and `\\t` in words as they are written;
- with combine=True it says that what follows an include is in the included file: read with combine=False here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import crossplane
import pytest

from gunicorn_autotune.cli.nginx_files import Disk
from gunicorn_autotune.nginx.read.parse import parse
from gunicorn_autotune.nginx.read.tree import Directive
from tests.nginx_corpus import NAMES, laid_out

Line = tuple[int, str, tuple[str, ...], str, int]
"""Depth, name, words, file, line."""


def ours(directive: Directive, depth: int = 0) -> list[Line]:
    """Every directive below, in order."""
    lines: list[Line] = []
    for one in directive.block or ():
        args = without_parentheses(one.args) if one.name == "if" else one.args
        lines.append((depth, one.name, args, one.file, one.line))
        lines += ours(one, depth + 1)
    return lines


def theirs(configs: list[dict[str, Any]], block: list[dict[str, Any]], file: str, depth: int = 0) -> list[Line]:
    """The same of crossplane's payload, includes in place."""
    lines: list[Line] = []
    for one in block:
        name, *args = map(unescaped, (one["directive"], *one["args"]))
        lines.append((depth, name, tuple(args), file, one["line"]))
        lines += theirs(configs, one.get("block", []), file, depth + 1)
        for number in one.get("includes", []):
            lines += theirs(configs, configs[number]["parsed"], configs[number]["file"], depth)
    return lines


def unescaped(word: str) -> str:
    """What crossplane left in."""
    return re.sub(r"\\([\\nrt])", lambda match: {"n": "\n", "r": "\r", "t": "\t"}.get(match[1], match[1]), word)


def without_parentheses(words: tuple[str, ...]) -> tuple[str, ...]:
    """`($a = b)` as crossplane has it."""
    text = "\0".join(words).removeprefix("(").removesuffix(")")
    return tuple(text.strip("\0").split("\0"))


@pytest.mark.parametrize("name", NAMES)
def test_trees_agree_with_crossplane(name: str, tmp_path: Path) -> None:
    """Names, words, files, lines and nesting of every directive."""
    path = laid_out(name, tmp_path)
    payload = crossplane.parse(str(path), check_ctx=False, check_args=False)
    assert ("ok", []) == (payload["status"], payload["errors"])
    configs = payload["config"]

    assert theirs(configs, configs[0]["parsed"], str(path)) == ours(parse(Disk(tmp_path), str(path)))
