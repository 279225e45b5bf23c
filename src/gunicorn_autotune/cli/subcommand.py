"""One sub-command as every level of the command line has it."""

from __future__ import annotations

import argparse
from types import ModuleType
from typing import Any


def add_command(commands: Any, name: str, module: ModuleType) -> argparse.ArgumentParser:
    """A parser with the module's HELP, its docstring as description, and its options."""
    sub: argparse.ArgumentParser = commands.add_parser(
        name, help=module.HELP, description=(module.__doc__ or "").strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    module.add_options(sub)
    return sub
