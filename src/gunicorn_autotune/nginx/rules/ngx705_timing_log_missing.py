"""The access log should say how long Gunicorn took.

The standard format, `combined`, has no time in it at all. When requests are slow, nobody can then say whether the
client was slow, nginx waited for a free worker, or the application took its time, and NGX801 cannot either.

Write a second log in the format `autotune`: `rt` is the whole request as the client saw it; `uct`, `uht` and `urt` the
time until Gunicorn was connected, began to answer and had answered. Two figures with a comma between them mean that
nginx had to try twice. It costs 200 to 350 bytes a request, and the log nginx writes already stays as your
tools know it. The format has to stand before the line that uses it.

Any format with `$upstream_response_time` counts. Ignore it where the application's own traces tell the same and nobody
looks into nginx's log; `access_log off` is taken as a decision.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.site.scope import Scope, Value
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits
from gunicorn_autotune.nginx.write.rendered.http import FORMAT

RULE = Rule("NGX705", Severity.INFO, "The access log tells how long Gunicorn took")
TIME = "$upstream_response_time"
_COMBINED = "combined"
_NAME = FORMAT.split()[1]


def check(site: Site) -> Iterator[Finding]:
    """Each log of Gunicorn's requests beside which no other has the time in it."""
    told: set[Directive | None] = set()
    formats = _formats(site)
    for route in site.routes:
        lines = route.scope.all("access_log")
        last = lines[-1] if lines else None
        silent = any(line.args[:1] == ("off",) for line in lines)
        if silent or last in told or any(_knows(line, formats) for line in lines):
            continue
        told.add(last)
        yield _finding(route.scope, last, known=_NAME in formats)


def _formats(site: Site) -> dict[str, str]:
    lines = [line for http in site.root.children("http") for line in http.children("log_format") if line.args]
    return {line.args[0]: " ".join(line.args[1:]) for line in lines}


def _knows(line: Directive, formats: dict[str, str]) -> bool:
    """Whether a log has the time; one in a format that is defined nowhere here may."""
    name = next((word for word in line.args[1:2] if "=" not in word), _COMBINED)
    return TIME in formats.get(name, "" if name == _COMBINED else TIME)


def _finding(scope: Scope, line: Directive | None, *, known: bool) -> Finding:
    log, form = f"access_log {_beside(line)} {_NAME};", "" if known else FORMAT
    written = Value("access_log", line.args, line.place, line) if line else scope.value("access_log")
    change: edits.Edits = ()
    if line is not None:
        change = (*_before(scope, line, form.rstrip("\n")), *edits.added_after(line, log))
    return at(
        RULE,
        line or (scope.server or scope).here,
        "the access log does not tell how long Gunicorn took",
        nginx=written,
        fix=f"{form}{log}",
        edits=change,
    )


def _beside(line: Directive | None) -> str:
    """`timing.log` next to the log there is; the same place where that is a terminal or a log server."""
    if line is None or not line.args or "$" in line.args[0]:
        return "/var/log/nginx/timing.log"
    path = line.args[0]
    return path if path.startswith(("/dev/", "syslog:")) else f"{path[: path.rfind('/') + 1]}timing.log"


def _before(scope: Scope, line: Directive, text: str) -> edits.Edits:
    """The format in `http`, above the line itself or the server it stands in."""
    http = scope.outwards("http")
    if not text or http is None:
        return ()
    own = line in (http.here.block or ())
    inner = scope.blocks[len(http.blocks) : len(http.blocks) + 1]
    return edits.added_before(line if own or not inner else inner[0], text)
