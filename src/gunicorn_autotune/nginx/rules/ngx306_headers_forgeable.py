"""nginx must not pass on headers with underscores that Gunicorn takes for its own.

Gunicorn (23.0 and later) lets a trusted proxy set `SCRIPT_NAME` by a header of that name (`forwarder_headers`). nginx
drops headers with underscores, so no client can send it, unless it is told otherwise: by `underscores_in_headers on`,
or by `ignore_invalid_headers off`, which lets them through as well. Then the header `SCRIPT_NAME: /secret` turns
the path /secret/x into PATH_INFO /x, and **every check of the path's beginning is bypassed** (measured for both
directives, nginx 1.22.1 and Gunicorn 27.0.1).

Leave both at their defaults. Where the app needs headers with underscores, blank the dangerous ones with
`proxy_set_header SCRIPT_NAME "";`, or set `forwarder_headers = ""` in Gunicorn's configuration file.

It is a warning where Gunicorn's settings are not known. Never ignore it otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared import headers
from gunicorn_autotune.nginx.site import trust
from gunicorn_autotune.nginx.site.routes import Route
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX306", Severity.ERROR, "No client can send the headers that Gunicorn takes from nginx alone")
_SAFE = {"underscores_in_headers": "off", "ignore_invalid_headers": "on"}
_HARMLESS = frozenset({"PATH_INFO"})
"""In the default list, but Gunicorn makes nothing of such a header (gunicorn.http.wsgi.create)."""

_ANY = "SCRIPT_NAME and any other"


def check(site: Site) -> Iterator[Finding]:
    """Each line that lets such headers through to Gunicorn."""
    open_to: dict[str, tuple[Directive, Route]] = {}
    for route in site.routes:
        for name, safe in _SAFE.items():
            value = route.scope.value(name)
            if value.directive is not None and value.text != safe and _forgeable(site, route):
                open_to.setdefault(value.directive.place, (value.directive, route))
    for line, route in open_to.values():
        names = ", ".join(_forgeable(site, route))
        safe = f"{line.name} {_SAFE[line.name]};"
        certain = site.gunicorn is not None and site.found and trust.believed(route, site.gunicorn, site.host)
        yield at(
            RULE,
            line,
            f"clients of {route.location} can send {names}, which Gunicorn takes for nginx's: path checks are bypassed",
            severity=None if certain else Severity.WARNING,
            nginx=line.shown,
            gunicorn=site.gunicorn.shown("forwarder_headers") if site.gunicorn else "",
            fix="\n".join([f"{safe}    # or, where clients need such headers:", *_blanked(site, route)]),
            edits=_edits(site, line),
        )


def _blanked(site: Site, route: Route) -> tuple[str, ...]:
    names = ("SCRIPT_NAME",) if _ANY in _forgeable(site, route) else _forgeable(site, route)
    return tuple(f'proxy_set_header {name} "";' for name in names)


def _edits(site: Site, line: Directive) -> edits.Edits:
    """The headers blanked: `off` would also drop those for which somebody wrote `on`. () where that is not enough."""

    def missing(route: Route) -> tuple[str, ...]:
        return _blanked(site, route) if route.scope.value(line.name).directive is line else ()

    hidden = [gap.edits for gap in headers.gaps(site, missing)]
    enough = all(hidden) and not any(_ANY in _forgeable(site, route) for route in site.routes)
    return tuple(edit for made in hidden for edit in made) if enough else ()


def _forgeable(site: Site, route: Route) -> list[str]:
    """Headers that Gunicorn would take and nginx does not set itself."""
    gunicorn = site.gunicorn
    if gunicorn is None:
        taken = ["SCRIPT_NAME"]
    elif trust.believed(route, gunicorn, site.host) is False:
        return []
    else:
        taken = [str(one) for one in gunicorn.get("forwarder_headers", ())]
    if "*" in taken:
        return [_ANY]
    return [name for name in taken if name and name not in _HARMLESS and route.scope.header(name) is None]
