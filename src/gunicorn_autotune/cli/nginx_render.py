"""Write nginx files that fit Gunicorn's settings: keep-alive, timeouts, queues, headers, each value with its reason.

Nothing that exists is overwritten without --force, and never in part; what was edited by hand is kept as NAME.old.
README.md among the files tells how to put them in force. --print and --diff write nothing.
Exit codes: 0 written, or nothing to change; 1 files exist already, or --diff shows a change; 2 bad usage.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from gunicorn_autotune.cli import nginx_options, nginx_write
from gunicorn_autotune.cli.nginx_gunicorn import from_config, from_server
from gunicorn_autotune.cli.nginx_options import add_site_options, options_from
from gunicorn_autotune.cli.nginx_write import Change, State
from gunicorn_autotune.cli.probe import DEFAULT_LOCATION
from gunicorn_autotune.cli.servers import SeveralServersError, add_server
from gunicorn_autotune.cli.style import CommandError, Style, table
from gunicorn_autotune.exporter.address import AUTO, first_choice
from gunicorn_autotune.nginx.site.gunicorn import Gunicorn
from gunicorn_autotune.nginx.write.fitting import FittingError
from gunicorn_autotune.nginx.write.notes import notes
from gunicorn_autotune.nginx.write.options import Options
from gunicorn_autotune.nginx.write.render import render

HELP = "write nginx files that fit Gunicorn's settings"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    side = parser.add_mutually_exclusive_group()
    side.add_argument("--config", metavar="FILE", help="Gunicorn's configuration file or python:MODULE; executed")
    add_server(parser, side)
    add_site_options(parser)
    parser.add_argument("--out", metavar="DIR", help="where the files are written (default: nginx-NAME)")
    parser.add_argument("--force", action="store_true", help="replace files; those edited by hand are kept as NAME.old")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--print", metavar="FILE", dest="only", help="print one file, as NAME/proxy.conf")
    shape.add_argument("--diff", action="store_true", help="show the change against the files in --out")
    shape.add_argument("--json", action="store_true", help="tell what was written as JSON")


def run(options: argparse.Namespace, style: Style) -> tuple[int, str]:
    """Exit code and text."""
    gunicorn = gunicorn_from(options)
    site, remarks = options_from(options, gunicorn)
    site = dataclasses.replace(site, command=again(options.words))
    try:
        files = render(gunicorn, site)
    except FittingError as error:
        raise CommandError(str(error)) from None
    remarks += notes(gunicorn, site) + _moving(options, gunicorn)
    if options.only:
        return 0, _one(files, options.only)
    folder = nginx_options.folder_of(options.out or f"nginx-{site.name}")
    changes = nginx_write.compared(folder, files)
    if options.diff:
        text = nginx_write.diff(changes)
        return int(bool(text)), text.rstrip("\n") or f"{folder} is as it would be written"
    if not options.force:
        nginx_write.refuse_overwriting(folder, changes)
    nginx_write.write(changes)
    if options.json:
        return 0, as_json(folder, gunicorn, site, changes, remarks)
    return 0, as_text(folder, gunicorn, site, changes, remarks, style)


def again(words: Sequence[str]) -> str:
    """The command line without what says how to tell or to overwrite; empty where it is not one printable line."""
    kept: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if word == "--print":
            next(waiting, "")
        elif word not in ("--force", "--diff", "--json") and not word.startswith("--print="):
            kept.append(word)
    text = shlex.join(["gunicorn-autotune", *kept])
    return text if text.isprintable() and "`" not in text else ""


def gunicorn_from(options: argparse.Namespace) -> Gunicorn:
    """Of a file or a running server; else of the one server that runs here."""
    if options.config:
        return from_config(options.config)
    try:
        return from_server(options.server, options.token_file)
    except SeveralServersError:
        raise
    except CommandError as error:
        if options.server:
            raise
        raise CommandError(
            f"{error}. Or name Gunicorn's file: --config gunicorn.conf.py (its defaults: --config {DEFAULT_LOCATION})"
        ) from None


def _moving(options: argparse.Namespace, gunicorn: Gunicorn) -> list[str]:
    """Whether the metrics were found where another start may not find them."""
    written = gunicorn.status["policy"]["metrics"] if gunicorn.status else ""
    if options.exporter or written != AUTO or not gunicorn.policy or gunicorn.policy["metrics"] == first_choice(AUTO):
        return []
    here = gunicorn.policy["metrics"]
    return [f"its metrics are at {here} because {first_choice(AUTO)} was taken; metrics = {here!r} keeps them there"]


def _one(files: dict[str, str], name: str) -> str:
    if name not in files:
        raise CommandError(f"--print = {name!r}: must be one of {', '.join(files)}")
    return files[name].rstrip("\n")


def as_json(
    folder: Path, gunicorn: Gunicorn, site: Options, changes: dict[str, Change], remarks: list[str]
) -> str:  # fmt: skip
    """`files` by name with what happened to each."""
    return json.dumps(
        {
            "folder": str(folder),
            "nginx": site.nginx_version,
            "gunicorn": {"version": gunicorn.version, "worker_class": gunicorn.get("worker_class")},
            "files": {name: change.state.value for name, change in changes.items()},
            "notes": remarks,
        },
        indent=2,
    )


def as_text(
    folder: Path, gunicorn: Gunicorn, site: Options, changes: dict[str, Change], remarks: list[str], style: Style
) -> str:
    """A listing, what to know, what to do next."""
    written = [name for name, change in changes.items() if change.state is not State.SAME]
    what = f"for nginx {site.nginx_version} and Gunicorn {gunicorn.version} ({gunicorn.get('worker_class')})"
    count = sum(change.state is not State.LEFT for change in changes.values())
    head = f"{folder}: {count} files {what}" if written else f"{folder}: unchanged, {what}"
    rows = [[name, _told(changes[name])] for name in written]
    lines = [head, *(f"  {line}" for line in (table(rows, frozenset({0, 1})) if rows else []))]
    lines += [style.paint("yellow", f"note: {remark}") for remark in remarks]
    return "\n".join([*lines, "", f"next: {folder}/README.md tells how to put them in force, and how to go back"])


def _told(change: Change) -> str:
    if change.state is State.EDITED:
        return f"replaced; yours is {change.path.name}{nginx_write.KEPT}"
    return {State.NEW: "", State.CHANGED: "replaced", State.LEFT: "removed: no longer needed"}[change.state]
