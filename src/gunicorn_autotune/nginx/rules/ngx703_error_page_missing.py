"""When Gunicorn does not answer, visitors should see a page of yours, and nginx must be able to show it.

While Gunicorn restarts, or is overloaded, nginx answers 502 or 504 with two bare lines. `error_page` shows a page
instead that says when to come back, and it is the only one a visitor can get at that moment.

The page must not come from Gunicorn itself: `error_page 502 /50x.html;` without a location for it asks the very
application that is down, and the visitor gets the bare 502 after all (measured on nginx 1.22.1). So give the page a
location of its own with `root` and `internal`, **and the file must be there**: without it visitors get 404 instead of
502 (measured on nginx 1.22.1), which search engines take for a page that is gone; that is why no patch proposes it, and
Debian's package has no such file. A location with an `error_page` of its own, if only for 404, drops those
around it, 502 included.

503 belongs on the list where limits or a maintenance switch answer it. What Gunicorn itself answers, its errors too,
passes through untouched unless `proxy_intercept_errors on`. Ignore it for an API whose clients read the code alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.site.locations import chosen
from gunicorn_autotune.nginx.site.routes import Route
from gunicorn_autotune.nginx.site.scope import Scope
from gunicorn_autotune.nginx.site.site import Site

RULE = Rule("NGX703", Severity.WARNING, "Visitors see a page of yours when Gunicorn is down")
GATEWAY = ("502", "504")
PAGE = "/50x.html"


def check(site: Site) -> Iterator[Finding]:
    """Servers without a page for 502 or 504, and pages that only Gunicorn has."""
    for server, routes in site.by_server:
        missing = [code for code in GATEWAY if not all(_pages(route.scope, code) for route in routes)]
        if missing:
            yield _none(server, routes, missing)
        asked: dict[Directive, str] = {}
        for route in routes:
            for line in (line for code in GATEWAY for line in _pages(route.scope, code)):
                if _is_asked_of_gunicorn(server, line, routes):
                    asked[line] = line.args[-1]
        for line, page in asked.items():
            yield _from_gunicorn(server, line, page)


def _pages(scope: Scope, code: str) -> list[Directive]:
    return [line for line in scope.all("error_page") if code in line.args[:-1]]


def _is_asked_of_gunicorn(server: Scope, line: Directive, routes: tuple[Route, ...]) -> bool:
    page = line.args[-1]
    if not page.startswith("/") or "$" in page:
        return False
    place = chosen(server, page)
    return place is not None and any(route.scope.here is place.here for route in routes)


def _location(page: str) -> str:
    root = f"root /srv/errors;    # where you put {page}: without the file visitors get 404"
    return f"location = {page} {{\n    {root}\n    internal;\n}}"


def _none(server: Scope, routes: tuple[Route, ...], missing: list[str]) -> Finding:
    line = f"error_page {' '.join(missing)} {PAGE};"
    here = next((route.scope for route in routes if not _pages(route.scope, missing[0])), server)
    hidden = here.all("error_page")
    # A second location of this name would be refused, and one error_page more in the server does not reach this far.
    known = any(child.args[-1:] == (PAGE,) for child in server.here.children("location"))
    text = line if known else f"{line}\n{_location(PAGE)}"
    return at(
        RULE,
        hidden[0] if hidden else server.here,
        f"while Gunicorn is down visitors get nginx's bare page for {' and '.join(missing)}",
        nginx=hidden[0].text if hidden else "no error_page",
        fix=text,
    )


def _from_gunicorn(server: Scope, line: Directive, page: str) -> Finding:
    return at(
        RULE,
        line,
        f"{page} comes from Gunicorn, which is down at that moment: visitors get the bare page",
        nginx=f"{line.text} ({line.place})",
        fix=_location(page),
    )
