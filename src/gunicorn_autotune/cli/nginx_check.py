"""Compare an nginx configuration with the Gunicorn behind it: what does not fit, and the lines that mend it.

Reads what `nginx -T` prints, or the files where it cannot run. Changes nothing: --diff prints a proposal and the safe
steps. A line ending in `# autotune: ignore NGX203` is left alone by that rule.
Exit codes: 0 nothing but notes, 1 warnings, 2 errors among the findings, or something could not be read.
"""

from __future__ import annotations

import argparse
import dataclasses
from dataclasses import dataclass

from gunicorn_autotune.cli import nginx_explain, nginx_report
from gunicorn_autotune.cli.nginx_binary import find_nginx, nginx_version
from gunicorn_autotune.cli.nginx_gunicorn import from_config, from_server
from gunicorn_autotune.cli.nginx_host import host_facts
from gunicorn_autotune.cli.nginx_input import Input, read_input
from gunicorn_autotune.cli.servers import SeveralServersError, add_server
from gunicorn_autotune.cli.style import CommandError, Style
from gunicorn_autotune.nginx.read.quantity import version_of
from gunicorn_autotune.nginx.rules.check import Report, check
from gunicorn_autotune.nginx.rules.finding import Severity
from gunicorn_autotune.nginx.site.gunicorn import Gunicorn
from gunicorn_autotune.nginx.site.site import Site, site_of

HELP = "compare an nginx configuration with the Gunicorn behind it"
MAIN = "/etc/nginx/nginx.conf"
EXIT_CODES = {None: 0, Severity.INFO: 0, Severity.WARNING: 1, Severity.ERROR: 2}


@dataclass(frozen=True, slots=True)
class Checked:
    """What was compared, and the answer."""

    input: Input
    site: Site
    report: Report
    no_gunicorn: str
    """Why Gunicorn's settings are not known; empty where they are."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("path", nargs="?", default=MAIN, help=f"the main configuration file (default: {MAIN})")
    parser.add_argument("--dump", metavar="FILE", help="what `nginx -T` printed elsewhere; - for standard input")
    side = parser.add_mutually_exclusive_group()
    side.add_argument("--config", metavar="FILE", help="Gunicorn's configuration file or python:MODULE; executed")
    add_server(parser, side)
    parser.add_argument("--nginx-version", metavar="1.22.1", help="judge by the defaults of this version")
    parser.add_argument(
        "--level",
        choices=[one.value for one in Severity],
        help="leave out what is less; info prints notes in full (default: notes in a line each, none in --diff)",
    )
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="findings, sides and what was not checked, for programs")
    shape.add_argument("--diff", action="store_true", help="the fixes as a patch, and how to apply it safely")
    shape.add_argument("--explain", metavar="RULE", help="why a rule exists, as `--explain NGX001`")


def run(options: argparse.Namespace, style: Style) -> tuple[int, str]:
    """Exit code and text."""
    if options.explain:
        return 0, nginx_explain.explained(options.explain)
    checked = checked_site(options)
    code = EXIT_CODES[checked.report.worst]
    least = Severity(options.level) if options.level else None
    if options.json:
        return code, nginx_report.as_json(checked.input, checked.site, checked.report, code, least or Severity.INFO)
    if options.diff:
        return code, nginx_report.as_diff(checked.input, checked.report, least or Severity.WARNING, style)
    return code, nginx_report.as_text(checked.input, checked.site, checked.report, checked.no_gunicorn, least, style)


def checked_site(options: argparse.Namespace) -> Checked:
    """Read both sides and ask the rules."""
    binary = None if options.dump else find_nginx()
    if options.nginx_version is not None and not version_of(options.nginx_version):
        raise CommandError(f"--nginx-version = {options.nginx_version!r}: must be a version such as 1.22.1")
    given = read_input(options.path, options.dump, binary)
    gunicorn, why = _gunicorn(options)
    version = options.nginx_version or (nginx_version(binary) if binary else "")
    host = dataclasses.replace(host_facts(given.root, gunicorn, binary, hangs=given.nginx_hangs), texts=given.texts())
    site = site_of(given.root, version, gunicorn, host)
    return Checked(given, site, check(site), why)


def _gunicorn(options: argparse.Namespace) -> tuple[Gunicorn | None, str]:
    """Gunicorn's side as asked for; without a word a server that answers here, and else why there is none."""
    if options.config:
        return from_config(options.config), ""
    try:
        return from_server(options.server, options.token_file), ""
    except CommandError as error:
        if options.server:
            raise
        return None, error.line if isinstance(error, SeveralServersError) else str(error)
