"""`nginx check --explain NGX001`: the page of a rule."""

from __future__ import annotations

import difflib

from gunicorn_autotune.cli.style import CommandError
from gunicorn_autotune.nginx.rules import all_rules


def explained(name: str) -> str:
    """The rule's page as text."""
    rules = {listed.rule.id: listed for listed in all_rules()}
    listed = rules.get(name.upper())
    if listed is None:
        near = difflib.get_close_matches(name.upper(), rules, 1)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise CommandError(f"--explain = {name!r}: must be a rule from {min(rules)} to {max(rules)}{meant}")
    return f"{listed.rule.id} ({listed.rule.severity.value}): {listed.rule.title}\n\n{listed.page}"
