"""In which line a Gunicorn configuration file gives a setting its value. The file is only read, never executed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PLAIN = (ast.Assign, ast.AnnAssign)
OWN_NAMES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
"""What is assigned inside these are names of their own."""


def assigned_lines(path: Path) -> dict[str, int]:
    """Line of the last plain assignment at the top level, by name.

    Names that are also set in another way (below an `if`, by `+=`, in a loop) are left out: which one counts is not
    told by the text. Empty for a file that cannot be read.
    """
    try:
        module = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return {}
    plain: dict[str, int] = {}
    otherwise: set[str] = set()
    for statement in module.body:
        names = {name.id: name.lineno for name in _stored(statement)}
        if isinstance(statement, PLAIN):
            plain |= names
        else:
            otherwise |= names.keys()
    return {name: line for name, line in plain.items() if name not in otherwise}


def _stored(node: ast.AST) -> Iterator[ast.Name]:
    """Names that get a value in `node`, as names of the module."""
    if isinstance(node, OWN_NAMES):
        return
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _stored(child)
