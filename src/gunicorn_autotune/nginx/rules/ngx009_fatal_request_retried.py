"""With one Gunicorn and no race left, nginx should try no request a second time.

A kept connection that breaks earns a GET one more try, and each kept connection does so again. One GET that kills its
worker was run **5 times and killed all 4 workers**; `proxy_next_upstream_tries 2` did not bound it,
`proxy_next_upstream off` did (one run). With a single server there is nowhere else to go, so a retry helps only
against the race of NGX001 and against workers that drop connections (NGX007). Where neither is left (Gunicorn 27.0.1
or later, nginx lets go first) retries only repeat harm: 0 failures were seen with `off` in 200,000 requests and 396
recycles.

Write `proxy_next_upstream off;`. With several servers keep `error timeout`: then a retry has somewhere to go.

The rule covers only gthread, which is what was measured, and only once NGX001 and NGX007 are silent.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared import contract
from gunicorn_autotune.nginx.rules.shared.places import places
from gunicorn_autotune.nginx.site.gunicorn import THREADED
from gunicorn_autotune.nginx.site.routes import Route
from gunicorn_autotune.nginx.site.site import Site, several_peers
from gunicorn_autotune.nginx.write import fitting

RULE = Rule("NGX009", Severity.INFO, "A request that kills its worker is not sent again", frozenset({Need.GUNICORN}))
OFF = "proxy_next_upstream off;"


def check(site: Site) -> Iterator[Finding]:
    """Each place where retries are on though nothing is left for them to cure."""
    gunicorn = site.gunicorn
    if gunicorn is None or gunicorn.kind != THREADED or gunicorn.numbers < fitting.LINGERS:
        return
    for place in places(site, "proxy_next_upstream", [route for route in site.routes if _pointless(site, route)]):
        # A line that serves other upstreams too may be needed there.
        shared = place.value.directive is not None and not place.alone
        if "off" not in place.value.args and not shared:
            yield at(
                RULE,
                place.directive,
                f"a GET that kills its worker is sent again over every kept connection, to up to "
                f"{gunicorn.most_workers} workers",
                nginx=place.value,
                gunicorn=f"Gunicorn {gunicorn.version}",
                fix=OFF,
                edits=place.written(OFF),
            )


def _pointless(site: Site, route: Route) -> bool:
    gunicorn = site.gunicorn
    if gunicorn is None or not contract.kept_by_both(route, gunicorn) or several_peers(site, route):
        return False
    return contract.outlasting(route.upstream, site.version, gunicorn) is None
