"""Asks every rule about one site, sorts the findings, and drops what comments ignore and edits that cannot be made."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from gunicorn_autotune.nginx.rules import Listed, all_rules
from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write.edits import Lines, feasible, lines_of

_ORDER = {severity: at for at, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Report:
    """What the rules say."""

    findings: tuple[Finding, ...]
    """The worst first, then by file and line; without the ignored ones."""
    ignored: tuple[Finding, ...]
    """Switched off by `# autotune: ignore` on their line."""
    unchecked: dict[Need, tuple[Rule, ...]]
    """Rules that could not run, by what they lack."""

    @property
    def worst(self) -> Severity | None:
        """None when nothing was found."""
        return self.findings[0].level if self.findings else None


def check(site: Site, rules: Iterable[Listed] | None = None, *, strict: bool = False) -> Report:
    """Ask every rule; one that fails says so in a finding of its own, or raises when `strict`."""
    findings: list[Finding] = []
    lacking: dict[Need, list[Rule]] = {}
    lines = lines_of(site.root)
    for listed in all_rules() if rules is None else rules:
        lacks = [need for need in Need if need in listed.rule.needs and not _has(site, need)]
        if lacks:
            lacking.setdefault(lacks[0], []).append(listed.rule)
        else:
            findings += _answers(listed, site, lines, strict)
    ignored_at = {(one.file, one.line): one.ignored for one in site.root.walk() if one.ignored}
    ordered = sorted(_once(findings), key=lambda one: (_ORDER[one.level], one.file, one.line, one.rule.id))
    quiet = [one.rule.id in ignored_at.get((one.file, one.line), frozenset()) for one in ordered]
    return Report(
        findings=tuple(one for one, ignored in zip(ordered, quiet, strict=True) if not ignored),
        ignored=tuple(itertools.compress(ordered, quiet)),
        unchecked={need: tuple(rules) for need, rules in lacking.items()},
    )


def _has(site: Site, need: Need) -> bool:
    return {
        Need.GUNICORN: site.gunicorn is not None,
        Need.LIVE: site.gunicorn is not None and site.gunicorn.status is not None,
        Need.NGINX: site.host.test is not None,
        Need.LOG: site.host.error_log is not None,
        Need.TIMING: site.host.timing is not None,
    }[need]


def _answers(listed: Listed, site: Site, lines: Lines, strict: bool) -> list[Finding]:
    try:
        return [_with_feasible_edits(one, lines) for one in listed.check(site)]
    except Exception as error:
        if strict:
            raise
        # One odd configuration must not silence all the other rules.
        why = f"the rule itself failed ({type(error).__name__}: {error}); please report it with this configuration"
        return [Finding(listed.rule, site.root.file, 1, why, severity=Severity.INFO)]


def _once(findings: Iterable[Finding]) -> list[Finding]:
    """A file that is included twice gives every finding twice. Their edits may differ, as the servers around do."""
    unique: dict[tuple[str, str, int, str], Finding] = {}
    for one in findings:
        key = (one.rule.id, one.file, one.line, one.message)
        first = unique.setdefault(key, one)
        if first is not one and first.edits != one.edits:
            both = first.edits and one.edits and tuple(dict.fromkeys((*first.edits, *one.edits)))
            unique[key] = dataclasses.replace(first, edits=both)
    return list(unique.values())


def _with_feasible_edits(finding: Finding, lines: Lines) -> Finding:
    kept = feasible(lines, finding.edits) if finding.edits else ()
    # Half of a fix may be worse than none.
    return finding if kept == finding.edits else dataclasses.replace(finding, edits=())
