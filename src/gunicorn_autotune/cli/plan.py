"""The fixed settings that a record supports, as a gunicorn.conf.py to review, and what limits this host.

FLIGHT.jsonl is what the setting flight_record wrote. Without it, a running server is watched for a while.
Exit codes: 0 planned; 1 planned, and something is in the way (TROUBLE); 2 unreadable, bad usage or too little data.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

from gunicorn_autotune.cli.flights import read_flight, sane_figures
from gunicorn_autotune.cli.plan_capacity import Capacity, capacity_of
from gunicorn_autotune.cli.plan_file import file_text, write_file
from gunicorn_autotune.cli.plan_limits import Hindrance, hindrances_of
from gunicorn_autotune.cli.plan_observe import observe
from gunicorn_autotune.cli.plan_observed import Observed
from gunicorn_autotune.cli.plan_page import capacity_text, page
from gunicorn_autotune.cli.plan_sampling import policy_of, server_of, ticks_of, watch
from gunicorn_autotune.cli.plan_settings import Setting, settings_of
from gunicorn_autotune.cli.plan_staffing import staffing_of
from gunicorn_autotune.cli.servers import add_server, find_server, token_of
from gunicorn_autotune.cli.style import CommandError, Style
from gunicorn_autotune.model.readings import Reading
from gunicorn_autotune.model.status import plain

HELP = "the fixed settings a record supports, and what limits this host"
SECONDS = 30.0
LEAST_SECONDS, MOST_SECONDS = 1.0, 86400.0


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """The whole answer."""

    observed: Observed
    settings: tuple[Setting, ...]
    hindrances: tuple[Hindrance, ...]
    capacity: Reading[Capacity]

    @property
    def file(self) -> str:
        """gunicorn.conf.py."""
        return file_text(self.observed, self.settings)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("flight", nargs="?", metavar="FLIGHT.jsonl", help="a flight record (default: a running server)")
    parser.add_argument("--up-to-fault", action="store_true", help="use a damaged record up to its first faulty line")
    parser.add_argument("--json", action="store_true", help="observed figures, settings, limits, capacity, file")
    parser.add_argument("-o", metavar="FILE", dest="output", help="write the settings there instead of showing them")
    parser.add_argument("--force", action="store_true", help="overwrite FILE")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help=f"how long to watch a running server (default: {SECONDS:g})"
    )
    add_server(parser)


def run(options: argparse.Namespace, style: Style) -> tuple[int, str]:
    """Exit code and text."""
    _check(options)
    with sane_figures(options.flight or "the server's status"):
        plan = plan_of(_from_flight(options) if options.flight is not None else _from_server(options))
        shown = plan.file
        if options.output is not None:
            shown = f"wrote {options.output}: review it, then gunicorn --check-config -c {options.output} MODULE:NAME"
        code = int(any(one.trouble for one in plan.hindrances))
        text = (
            json.dumps(as_json(plan), indent=2)
            if options.json
            else page(plan.observed, plan.hindrances, plan.capacity, shown, style)
        )
    if options.output is not None:
        write_file(Path(options.output), plan.file, options.force)
    return code, text


def plan_of(observed: Observed) -> Plan:
    """Figures to plan."""
    staffing = staffing_of(observed)
    return Plan(
        observed=observed,
        settings=settings_of(observed, staffing),
        hindrances=hindrances_of(observed, staffing),
        capacity=capacity_of(observed, staffing),
    )


def as_json(plan: Plan) -> dict[str, Any]:
    """A missing figure is `{"missing": why}`, as in /status.json."""
    capacity = plain(plan.capacity)
    return {
        "observed": plain(plan.observed),
        "settings": plain(plan.settings),
        "limits": plain(plan.hindrances),
        "capacity": capacity | {"text": capacity_text(plan.observed, plan.capacity)},
        "file": plan.file,
    }


def _check(options: argparse.Namespace) -> None:
    if options.flight is not None and options.server is not None:
        raise CommandError("FLIGHT.jsonl and --server: a record or a running server, not both")
    if options.force and options.output is None:
        raise CommandError("--force: only with -o FILE")
    if options.flight is None and options.up_to_fault:
        raise CommandError("--up-to-fault: only with FLIGHT.jsonl")
    if not LEAST_SECONDS <= options.seconds <= MOST_SECONDS:
        raise CommandError(f"--seconds = {options.seconds:g}: must be from {LEAST_SECONDS:g} to {MOST_SECONDS:g}")


def _from_flight(options: argparse.Namespace) -> Observed:
    flight = read_flight(Path(options.flight), up_to_fault=options.up_to_fault)
    return observe(flight.header.server, flight.header.policy, flight.ticks, flight.fault)


def _from_server(options: argparse.Namespace) -> Observed:
    token, place = token_of(options), find_server(options.server, os.environ).exporter()
    documents = watch(place, token, options.seconds, tell)
    last = documents[-1]
    return observe(server_of(last), policy_of(last), ticks_of(documents))


def tell(seconds_left: float) -> None:
    """How long it still takes, on a terminal; the line is taken back at the end."""
    if sys.stderr.isatty():
        text = f"watching the server, {seconds_left:.0f} s left" if seconds_left else ""
        print(f"\r{text:<40}" + ("" if seconds_left else "\r"), end="", file=sys.stderr, flush=True)
