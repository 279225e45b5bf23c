"""`nginx check --explain NGX001`: the page of a rule."""

from __future__ import annotations

from gunicorn_autotune.cli.style import CommandError
from gunicorn_autotune.nginx.rules import all_rules


def explained(name: str) -> str:
    """The rule's page as text."""
    rules = {listed.rule.id: listed for listed in all_rules()}
    listed = rules.get(name.upper())
    if listed is None:
        known = "\n".join(f"  {one.rule.id}  {one.rule.title}" for one in rules.values())
        raise CommandError(f"--explain = {name!r}: no rule has this id; these are the rules:\n{known}")
    return f"{listed.rule.id} ({listed.rule.severity.value}): {listed.rule.title}\n\n{listed.page}"
