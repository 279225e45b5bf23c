"""`nginx -t` should accept the configuration without a warning.

A configuration that `nginx -t` refuses is one that the running nginx never gets: a reload keeps the old one and says so
only in the error log, and the next restart, perhaps after a power cut at night, does not come up at all.

Two refusals account for most. *"worker_processes" directive is not allowed here*: a line of the outermost level in
`conf.d/` or `sites-enabled/`, which are read inside `http {}`; it belongs in nginx.conf itself. *"sendfile" directive
is duplicate*: the stock nginx.conf sets it at the same level already; put yours into the server block, where it wins.

A failure of `nginx -t` is an error. Its warnings (`[warn]`) are shown as warnings: nginx starts, but does not do what
somebody wrote. Where this command was not run as root, nginx cannot read keys and logs: that is only mentioned. A
name that does not resolve here is a warning, because it may where nginx runs. Ignore
a warning by changing the line it names; there is no other way to make nginx quiet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity
from gunicorn_autotune.nginx.site.site import Site

RULE = Rule("NGX701", Severity.ERROR, "nginx -t accepts the configuration", frozenset({Need.NGINX}))
_LINE = re.compile(r"(?:\d+/\S+ \S+ |nginx: )?\[(?P<level>emerg|alert|crit|error|warn)\]\s(?:\d+#\d+: )?(?P<what>.*)")
_PLACE = re.compile(r" in (?P<file>\S+?):(?P<line>\d+)$")
_UNRESOLVED = "host not found in upstream"
_NOT_ROOT = re.compile(r"Permission denied|makes sense only if the master process runs with super-user")


def check(site: Site) -> Iterator[Finding]:
    """Each message of nginx's own test."""
    test = site.host.test
    if test is None:
        return
    read = [match for line in test.output.splitlines() if (match := _LINE.match(line.strip()))]
    said = dict.fromkeys((one["level"], one["what"]) for one in read)
    yield from (_finding(site, level, what) for level, what in said)
    if not test.passed and not any(level == "emerg" for level, _ in said):
        what = test.output.strip().splitlines()[-1:] or ["nginx -t failed and said nothing"]
        yield _finding(site, "emerg", what[0])


def _finding(site: Site, level: str, what: str) -> Finding:
    place = _PLACE.search(what)
    file, line = (place["file"], int(place["line"])) if place else (site.root.file, 1)
    message = f"nginx -t: {what[: place.start()] if place else what}"
    if _NOT_ROOT.search(what):
        return Finding(RULE, file, line, message, fix="sudo nginx -t    # as root", severity=Severity.INFO)
    # A name of a container's network resolves there, not where this is asked.
    sure = level == "emerg" and _UNRESOLVED not in what
    severity = None if sure else Severity.WARNING
    return Finding(RULE, file, line, message, fix=_fix(site, what, file, line), severity=severity)


def _fix(site: Site, what: str, file: str, line: int) -> str:
    name = (re.search(r'"([^"]*)"', what) or ["", ""])[1]
    if "directive is not allowed here" in what:
        return f"# take {name} out of {file}; where it belongs depends on its level: main lines into {site.root.file}"
    if "directive is duplicate" in what or "is already defined" in what:
        others = [one.place for one in site.root.walk() if one.name == name and (one.file, one.line) != (file, line)]
        first = f", it stands in {others[0]} already" if others else ""
        return f"# take {name} out of {file}:{line}{first}; a server block may set it anew"
    if "unknown directive" in what:
        return f"# nginx {site.version} has no {name}: take it out, load its module, or upgrade"
    if _UNRESOLVED in what:
        return "# write an address instead of the name, or start nginx after the name can be resolved"
    return "nginx -t    # after the change; reload only when it passes"
