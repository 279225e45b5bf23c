"""What `nginx check` says: for people, for programs, and as a patch."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from gunicorn_autotune.cli.nginx_input import Input
from gunicorn_autotune.cli.style import Style, wrapped
from gunicorn_autotune.nginx.read.reader import printable
from gunicorn_autotune.nginx.rules.check import Report
from gunicorn_autotune.nginx.rules.finding import Finding, Need, Severity
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write.edits import diff, together

COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "dim"}
NOUNS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
LACKS = {
    Need.GUNICORN: "Gunicorn's settings (--config FILE or --server ADDRESS)",
    Need.LIVE: "a running Gunicorn (--server ADDRESS)",
    Need.NGINX: "nginx on this host, and the right to run `nginx -t`",
    Need.LOG: "nginx's error log, readable",
    Need.TIMING: "an access log in the format `autotune` that render writes",
}
INDENT = 11
PLAIN_WIDTH = 120
PLACES = 20
"""Of one rule that are told in text: who has a thousand servers mends the first and looks again."""


def as_text(given: Input, site: Site, report: Report, no_gunicorn: str, least: Severity | None, style: Style) -> str:
    """Both sides, each finding with its fix, a sum, and what was not checked.

    With None for `least` notes are a line each: there are many, and they need not be acted on.
    """
    full, more = _first_of_each([one for one in report.findings if _counts(one, least or Severity.WARNING)])
    notes, more_notes = _first_of_each(
        [one for one in report.findings if least is None and not _counts(one, Severity.WARNING)]
    )
    parts = [_sides(given, site), *("\n".join(finding_lines(one, style)) for one in full)]
    parts += ["\n".join(line for one in notes for line in _note_lines(one, style))] if notes else []
    closing = [_sum(report, style), *_left_out(more + more_notes), *_unchecked(report, no_gunicorn, style)]
    if notes:
        closing.append("`--level info` prints the notes with both sides and their fixes.")
    if any(one.edits for one in full):
        closing.append("`--diff` prints fixes as a patch with the steps to apply it; nothing is ever changed for you.")
    if full or notes:
        closing.append(f"`--explain {(full or notes)[0].rule.id}` says why the rule exists.")
    return "\n\n".join([*parts, "\n".join(closing)])


def _first_of_each(findings: Sequence[Finding]) -> tuple[list[Finding], Counter[str]]:
    """At most PLACES findings of each rule, and how many more there are by rule."""
    seen: Counter[str] = Counter()
    first = []
    for one in findings:
        seen[one.rule.id] += 1
        if seen[one.rule.id] <= PLACES:
            first.append(one)
    return first, Counter({name: count - PLACES for name, count in seen.items() if count > PLACES})


def _left_out(more: Counter[str]) -> Iterable[str]:
    if more:
        told = ", ".join(f"{name} {count}" for name, count in sorted(more.items()))
        yield f"the same in more places: {told}; `--json` names them all"


def _note_lines(one: Finding, style: Style) -> list[str]:
    text = f"{shown(one.file)}:{one.line}  {one.rule.id}  {shown(one.message)}"
    return wrapped(text, style.width, hang=2) if style.width else [text]


def _sides(given: Input, site: Site) -> str:
    files = len(given.files)
    count = "1 file" if files == 1 else f"{files} files"
    lines = [f"nginx      {site.version}, {shown(given.root.file)} ({count}, read by {given.read_by})"]
    if given.remark:
        lines.append(f"           {shown(given.remark)}")
    if site.gunicorn is not None:
        gunicorn = site.gunicorn
        where = f"pid {gunicorn.status['server']['pid']}" if gunicorn.status else "as configured"
        binds = shown(", ".join(gunicorn.get("bind", ())))
        lines.append(f"Gunicorn   {gunicorn.version}, {gunicorn.get('worker_class', 'sync')} at {binds}, {where}")
    return "\n".join([*lines, *_followed(site)])


def _followed(site: Site) -> list[str]:
    """How many locations the answers are about, and which could not be asked."""
    known = {id(route.proxy_pass) for route in site.every_route}
    lost = [one.place for one in site.root.walk() if one.name == "proxy_pass" and id(one) not in known]
    counted = f"{len(site.routes)} of {len(site.every_route)} that name their target"
    what = f"{counted} lead to Gunicorn" if site.found else f"{counted} are taken for Gunicorn's"
    lines = [f"locations  {what}"] if site.every_route else []
    more = f"{', '.join(map(shown, lost[:2]))}{', ...' if len(lost) > 2 else ''}"
    return [*lines, f"           not followed, a variable in proxy_pass: {more}"] if lost else lines


def finding_lines(one: Finding, style: Style) -> list[str]:
    """Place, level and rule; the message; both sides; what to paste."""
    level = style.paint(COLOURS[one.level], one.level.value)
    lines = [f"{style.paint('bold', f'{shown(one.file)}:{one.line}')}  {level} {one.rule.id}"]
    lines += [f"  {line}" for line in wrapped(shown(one.message), (style.width or PLAIN_WIDTH) - 2)]
    for name, text in (("nginx", one.nginx), ("gunicorn", one.gunicorn), ("fix", one.fix)):
        head = name
        for line in text.split("\n") if text else ():
            lines.append(f"  {head.ljust(INDENT - 2)}{shown(line)}")
            head = ""
    return lines


def shown(text: str) -> str:
    """One line of somebody's configuration as a terminal may get it: tabs, but no escapes and no bells."""
    return "\t".join(map(printable, text.split("\t")))


def _sum(report: Report, style: Style) -> str:
    counts = [(level, sum(one.level is level for one in report.findings)) for level in Severity]
    parts = [
        style.paint(COLOURS[level] if count else "dim", f"{count} {NOUNS[level]}{'' if count == 1 else 's'}")
        for level, count in counts
    ]
    ignored = f"; {len(report.ignored)} ignored by comment" if report.ignored else ""
    return ", ".join(parts) + ignored


def _unchecked(report: Report, no_gunicorn: str, style: Style) -> Iterable[str]:
    for need, rules in report.unchecked.items():
        count = "1 rule that needs" if len(rules) == 1 else f"{len(rules)} rules that need"
        why = f": {no_gunicorn}" if need is Need.GUNICORN and no_gunicorn else ""
        yield style.paint("dim", f"not checked: {count} {LACKS[need]}{why}")


def as_json(given: Input, site: Site, report: Report, code: int, least: Severity = Severity.INFO) -> str:
    """One object; `exit_code` as the process returns it, whatever is left out."""
    gunicorn = site.gunicorn
    document = {
        "exit_code": code,
        "nginx": {"version": site.version, "main": given.root.file, "files": given.files, "read_by": given.read_by},
        "gunicorn": {"version": gunicorn.version, "settings": dict(gunicorn.values)} if gunicorn else None,
        "findings": [_entry(one) for one in report.findings if _counts(one, least)],
        "ignored": [_entry(one) for one in report.ignored],
        "unchecked": {need.value: [rule.id for rule in rules] for need, rules in report.unchecked.items()},
    }
    return json.dumps(document, indent=2, default=str)


def _entry(one: Finding) -> dict[str, Any]:
    return {
        "rule": one.rule.id, "severity": one.level.value, "title": one.rule.title, "file": one.file, "line": one.line,
        "message": one.message, "nginx": one.nginx, "gunicorn": one.gunicorn, "fix": one.fix,
    }  # fmt: skip


def as_diff(given: Input, report: Report, least: Severity, style: Style) -> str:
    """A patch against the files read, with the steps as leading comment lines; patch(1) skips those.

    Exact to the byte where it goes into a file; on a terminal control characters are spelt out.
    """
    meant = [one for one in report.findings if _counts(one, least)]
    edits = together(one.edits for one in meant)
    text = diff(given.texts(), edits)
    if not text:
        return "# Nothing to propose: no finding has a fix that can be told exactly as a change of these files."
    left = sum(bool(one.fix) and not (one.edits and set(one.edits) <= set(edits)) for one in meant)
    other = _more(left, len(report.findings) - len(meant))
    folder = given.root.file.rpartition("/")[0] or "/"
    steps = STEPS.format(main=shlex.quote(given.root.file), folder=shlex.quote(folder), other=other)
    exact = text.rstrip("\n")
    return steps + (exact if style.width is None else "\n".join(map(shown, exact.split("\n"))))


def _more(left: int, lesser: int) -> str:
    """What the patch does not hold."""
    lines = ""
    if left:
        lines += (
            f"# Not in it, {left} more: they need a decision or Gunicorn's side, or lines that it changes already.\n"
        )
    return lines + (f"# Left out, {lesser} more: lesser findings (--level info).\n" if lesser else "")


def _counts(one: Finding, least: Severity) -> bool:
    order = list(Severity)
    return order.index(one.level) <= order.index(least)


STEPS = """\
# A proposal; nothing was changed. Read it, keep what you agree with, then:
#   sudo cp -a {folder} {folder}.before                         # keep the old set
#   the same command again, with `> fix.patch` behind it            # this text
#   sudo patch -d / -p1 --follow-symlinks --dry-run < fix.patch     # does it fit?
#   sudo patch -d / -p1 --follow-symlinks < fix.patch
#   sudo nginx -t -c {main} && sudo nginx -s reload                 # reload drops no request
#   sudo patch -d / -p1 --follow-symlinks -R < fix.patch && sudo nginx -t -c {main} && sudo nginx -s reload    # back
{other}"""
