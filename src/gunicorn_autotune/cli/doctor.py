"""What this host grants Gunicorn, and what will hurt.

Each line: level, check, finding, and what to do about it. docs/doctor.md explains every check.
Exit codes: 0 no FAIL, 1 some FAIL, 2 bad usage.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from gunicorn_autotune.cli import checks_limits, checks_sensors, checks_server, checks_settings, checks_unit
from gunicorn_autotune.cli.finding import Check, Finding, Host, Level, warn
from gunicorn_autotune.cli.probe import check_location, probe
from gunicorn_autotune.cli.running import running
from gunicorn_autotune.cli.servers import same_address
from gunicorn_autotune.cli.style import CommandError, Style, wrapped
from gunicorn_autotune.cli.unit import watched
from gunicorn_autotune.sensors.cgroup import find_cgroup, read_host

HELP = "what this host grants, and what will hurt"
CHECKS: dict[str, Check] = (
    checks_server.CHECKS | checks_settings.CHECKS | checks_limits.CHECKS | checks_unit.CHECKS | checks_sensors.CHECKS
)
COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}
LEVEL_COLUMNS = max(map(len, Level))
CHECK_COLUMNS = max(map(len, CHECKS))
HANG = LEVEL_COLUMNS + CHECK_COLUMNS + 4


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--json", action="store_true", help="a list of {check, level, finding, advice}")
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="a Gunicorn configuration file or python:MODULE; executed as at a start",
    )
    parser.add_argument("--root", metavar="DIR", default="/", help="read /proc and /sys below this directory")


def run(options: argparse.Namespace, style: Style) -> tuple[int, str]:
    """Exit code and text."""
    findings = examine(host_at(Path(options.root), options.config))
    failed = any(finding.level is Level.FAIL for finding in findings.values())
    return int(failed), as_json(findings) if options.json else as_text(findings, style)


def host_at(root: Path, location: str | None) -> Host:
    """Everything the checks look at."""
    if not root.is_dir():
        raise CommandError(f"--root = {str(root)!r}: must be a directory")
    if location is not None:
        check_location(location)
    cgroups = find_cgroup(root)
    found = probe(location)
    pid = serving(found.settings.get("bind")) if root == Path("/") else None
    return Host(root, location, found, cgroups, read_host(cgroups), watched(cgroups, pid))


def serving(bind: object) -> int | None:
    """The arbiter that serves these addresses, else the only one of this host, else None."""
    found = running(os.environ)
    addresses = bind if isinstance(bind, (list, tuple)) else []
    mine = [one for one in found if any(same_address(a, b) for a in addresses for b in one.bind)]
    return next((some[0].pid for some in (mine, found) if len(some) == 1), None)


def examine(host: Host) -> dict[str, Finding]:
    """Every check's answer, by its name."""
    answers = {name: _answer(check, host) for name, check in CHECKS.items()}
    return {name: answer for name, answer in answers.items() if answer is not None}


def _answer(check: Check, host: Host) -> Finding | None:
    try:
        return check(host)
    except Exception as error:
        # A doctor that dies of one odd file would tell nothing about all the others.
        return warn(f"the check itself failed: {type(error).__name__}: {error}", "please report this")


def as_json(findings: dict[str, Finding]) -> str:
    """A list of objects, one for each check."""
    entries = [
        {"check": name, "level": one.level.value, "finding": one.finding, "advice": one.advice}
        for name, one in findings.items()
    ]
    return json.dumps(entries, indent=2)


def as_text(findings: dict[str, Finding], style: Style) -> str:
    """One line for each check, wrapped on a terminal, and a sum."""
    lines = [line for name, finding in findings.items() for line in _lines(name, finding, style)]
    counts = [sum(finding.level is level for finding in findings.values()) for level in Level]
    parts = [
        style.paint(COLOURS[level] if count else "dim", f"{count} {level.value}")
        for level, count in zip(Level, counts, strict=True)
    ]
    return "\n".join([*lines, "", ", ".join(parts)])


def _lines(name: str, finding: Finding, style: Style) -> list[str]:
    level = style.paint(COLOURS[finding.level], finding.level.value.rjust(LEVEL_COLUMNS))
    head = f"{level}  {name.ljust(CHECK_COLUMNS)}  "
    advice = f"-> {finding.advice}" if finding.advice else ""
    if style.width is None:
        return [head + f"{finding.finding}  {advice}".rstrip()]
    room = max(30, style.width - HANG)
    first, *more = wrapped(finding.finding, room) + (wrapped(advice, room, hang=3) if advice else [])
    return [head + first, *(" " * HANG + line for line in more)]
