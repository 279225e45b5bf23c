"""THE COMMAND LINE: `gunicorn-autotune status | recycle | doctor | init | replay | plan | nginx`.

Each command answers an exit code and a text, and only `main` prints them; `recycle --wait` tells its progress on
stderr. Gunicorn is never imported in this process.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence

from gunicorn_autotune import __version__
from gunicorn_autotune.cli import doctor, init, nginx, plan, recycle, replay, status
from gunicorn_autotune.cli.servers import SeveralServersError
from gunicorn_autotune.cli.style import CommandError, style_of
from gunicorn_autotune.cli.subcommand import add_command

COMMANDS = {
    "status": status, "recycle": recycle, "doctor": doctor, "init": init, "replay": replay, "plan": plan,
    "nginx": nginx,
}  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    root = argparse.ArgumentParser(prog="gunicorn-autotune", description="Gunicorn that sizes itself.")
    root.add_argument("--version", action="version", version=f"gunicorn-autotune {__version__}")
    commands = root.add_subparsers(dest="command", required=True, metavar=" | ".join(COMMANDS))
    for name, module in COMMANDS.items():
        add_command(commands, name, module).set_defaults(run=module.run)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 2 for bad usage and else the command's own."""
    options = parser().parse_args(arguments)
    if sys.stdout is None:
        # `>&-`: nobody is to read it.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    options.words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code, text = options.run(options, style_of(sys.stdout, os.environ))
    except CommandError as error:
        if isinstance(error, SeveralServersError) and getattr(options, "json", False):
            _print(error.json)
        else:
            print(f"gunicorn-autotune {options.command}: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return 130
    try:
        _print(text)
    except OSError as error:
        print(f"gunicorn-autotune {options.command}: standard output: {error.strerror}", file=sys.stderr)
        _forget_stdout()
        return 2
    return int(code)


def _print(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # `| head` has seen enough.
        _forget_stdout()


def _forget_stdout() -> None:
    # Without this the interpreter complains again at exit, of what is still in its buffer.
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
