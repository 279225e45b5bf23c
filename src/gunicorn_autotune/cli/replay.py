"""A flight record decided again: what was decided then, what would be decided now, and where they part.

Exit codes: 0 the same decision at every tick; 1 some differ; 2 the record cannot be read, or bad usage.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from gunicorn_autotune.cli.flights import read_flight, sane_figures
from gunicorn_autotune.cli.replay_page import page
from gunicorn_autotune.cli.replay_plot import picture
from gunicorn_autotune.cli.replayed import Replay, Turn, replay
from gunicorn_autotune.cli.style import CommandError, Style
from gunicorn_autotune.model.flight import redacted
from gunicorn_autotune.model.policy import Policy, PolicyError, policy_from
from gunicorn_autotune.model.status import plain

HELP = "decide a recorded flight again, with its settings or others"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("flight", metavar="FLIGHT", help="the file of flight_record (.gz may be packed)")
    parser.add_argument(
        "--set", metavar="NAME=VALUE", action="append", default=[], dest="settings",
        help="a setting that differs from the recorded one; may be given again",
    )  # fmt: skip
    parser.add_argument("--up-to-fault", action="store_true", help="take the ticks before a truncated or faulty line")
    parser.add_argument("--all", action="store_true", help="every tick, not only those that change the count")
    parser.add_argument("--json", action="store_true", help="header, every tick then and now, differences")
    parser.add_argument("--svg", metavar="FILE", help="also write a plot")
    parser.add_argument("--force", action="store_true", help="let --svg overwrite FILE")


def run(options: argparse.Namespace, style: Style) -> tuple[int, str]:
    """Exit code and text."""
    flight = read_flight(Path(options.flight), up_to_fault=options.up_to_fault)
    policy = policy_with(flight.header.policy, options.settings)
    with sane_figures(options.flight):
        replayed = replay(flight, policy)
        drawn = picture(replayed) if options.svg else ""
        name = Path(options.flight).name
        text = as_json(replayed) if options.json else page(replayed, name, style, every=options.all)
        code = int(bool(replayed.different))
    if options.svg:
        write_svg(Path(options.svg), drawn, force=options.force)
    return code, text


def policy_with(policy: Policy, settings: list[str]) -> Policy:
    """The recorded policy with `NAME=VALUE` settings over it, checked as those of a configuration file are."""
    written: dict[str, object] = dataclasses.asdict(policy)
    for text in settings:
        name, equals, value = text.partition("=")
        if not equals:
            raise CommandError(f"--set {text}: must be NAME=VALUE, as in --set max_workers=12")
        written[name.strip()] = value
    try:
        return policy_from(written, {})
    except PolicyError as error:
        raise CommandError(f"--set: {error}") from None


def write_svg(path: Path, text: str, *, force: bool) -> None:
    """Write the plot; a file that is there stays, unless forced."""
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise CommandError(f"--svg {path}: the file exists; --force overwrites it") from None
    except OSError as error:
        raise CommandError(f"--svg {path}: {error.strerror}") from None


def as_json(replayed: Replay) -> str:
    """The whole replay for programs; `differences` are indices into `ticks`."""
    header = replayed.flight.header
    document = {
        "format": header.format,
        "autotune": header.autotune,
        "server": plain(header.server),
        "policy": redacted(header.policy),
        "settings": replayed.changed_settings,
        "fault": replayed.flight.fault,
        "ticks": [_entry(turn) for turn in replayed.turns],
        "differences": replayed.different,
    }
    return json.dumps(document, indent=2)


def _entry(turn: Turn) -> dict[str, object]:
    return {
        "time": round(turn.unix_seconds, 3),
        "target": turn.snapshot.target,
        "backlog": plain(turn.backlog),
        "then": plain(turn.then),
        "now": plain(turn.now),
    }
