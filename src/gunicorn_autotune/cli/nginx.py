"""The nginx side: write files that fit Gunicorn's settings, or check yours beside them."""

from __future__ import annotations

import argparse

from gunicorn_autotune.cli import nginx_check, nginx_render
from gunicorn_autotune.cli.style import Style
from gunicorn_autotune.cli.subcommand import add_command

HELP = "nginx files that fit Gunicorn, and a check of yours beside it"
COMMANDS = {"render": nginx_render, "check": nginx_check}


def add_options(parser: argparse.ArgumentParser) -> None:
    """One parser for each sub-command."""
    commands = parser.add_subparsers(dest="nginx_command", required=True, metavar=" | ".join(COMMANDS))
    for name, module in COMMANDS.items():
        add_command(commands, name, module)


def run(options: argparse.Namespace, style: Style) -> tuple[int, str]:
    """The sub-command's exit code and text."""
    code, text = COMMANDS[options.nginx_command].run(options, style)
    return int(code), text
