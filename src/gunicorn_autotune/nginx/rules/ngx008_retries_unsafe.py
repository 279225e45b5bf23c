"""`proxy_next_upstream` should neither run a POST twice nor show losses that nginx could hide.

When a server fails, nginx may send the request to the next one; a kept connection that breaks earns one more try even
with a single server. POST, PATCH and LOCK are left out once they were sent, since nobody knows whether they were
carried out. `non_idempotent` takes them in: in a recycling test it hid every failure, with 151 requests sent again,
and each of those may have been carried out twice: two orders, two payments.

`off` forbids all of it, which is right where no connection breaks (NGX009). While NGX001 is open it makes the failures
of GETs visible too: 80 of 1,600 were being replayed silently.

Delete the word `non_idempotent`; it is fine only where every POST carries a key by which the app knows a repetition.
With `off`, cure NGX001 first.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared import contract
from gunicorn_autotune.nginx.rules.shared.places import Place, places
from gunicorn_autotune.nginx.site.routes import Route
from gunicorn_autotune.nginx.site.site import Site, several_peers
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX008", Severity.WARNING, "Retries repeat no POST, and hide failures that nginx can hide safely")


def check(site: Site) -> Iterator[Finding]:
    """Each `proxy_next_upstream` with `non_idempotent` where a retry can happen, or with `off` beside a race."""
    for place in places(site, "proxy_next_upstream"):
        words = place.value.args
        if place.value.directive is None:
            continue
        if "off" in words:
            yield from _exposed(site, place)
        elif "non_idempotent" in words and any(tried_again(site, route) for route in place.routes):
            rest = [word for word in words if word != "non_idempotent"] or ["error", "timeout"]
            text = f"proxy_next_upstream {' '.join(rest)};"
            yield at(
                RULE,
                place.directive,
                "a POST that was already sent is sent again when its connection breaks: it may be carried out twice",
                nginx=place.value,
                fix=text,
                edits=edits.replaced(place.directive, text),
            )


def tried_again(site: Site, route: Route) -> bool:
    """Whether nginx has anything to try next: another server, or another kept connection."""
    return several_peers(site, route) or contract.kept_by_both(route, site.gunicorn)


def _exposed(site: Site, place: Place) -> Iterator[Finding]:
    gunicorn = site.gunicorn
    if gunicorn is None:
        return
    for route in place.routes:
        raced = contract.kept_by_both(route, gunicorn) and contract.outlasting(route.upstream, site.version, gunicorn)
        if raced:
            yield at(
                RULE,
                place.directive,
                "with `off` GETs get 502 as well when Gunicorn closes a connection first, and it does (NGX001)",
                nginx=place.value,
                gunicorn=gunicorn.shown("keepalive"),
                fix=f"keepalive_timeout {contract.pair(gunicorn)[0]}s;    # in upstream {route.upstream.name}"
                + contract.gunicorn_line(gunicorn),
            )
            return
