"""A client should not be able to contradict nginx about https.

Gunicorn knows three headers that tell the scheme: `X-Forwarded-Proto: https`, `X-Forwarded-Protocol: ssl` and
`X-Forwarded-Ssl: on`. nginx sets the first as a rule, and passes on the others as the client wrote them. Where they
disagree Gunicorn answers **400**, "Contradictory scheme headers" (measured: nginx says https, the client
`X-Forwarded-Ssl: off`). The client hurts only itself, but such answers show up in logs and alarms, and behind a cache
one of them may be kept for everybody.

Blank the two that nginx does not use; an empty value is not sent at all. Ignore it if nothing of yours counts 400s.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared import headers
from gunicorn_autotune.nginx.site import trust
from gunicorn_autotune.nginx.site.routes import Route
from gunicorn_autotune.nginx.site.site import Site

RULE = Rule("NGX307", Severity.INFO, "No client can contradict nginx about https")


def check(site: Site) -> Iterator[Finding]:
    """Each place that sets one scheme header and leaves others to the client."""

    def missing(route: Route) -> tuple[str, ...]:
        sets = any(route.scope.header(name) for name in headers.SCHEME_HEADERS)
        deaf = site.gunicorn is not None and trust.believed(route, site.gunicorn, site.host) is False
        left = [name for name in headers.SCHEME_HEADERS if headers.unset(route, name)]
        return tuple(f'proxy_set_header {name} "";' for name in left) if sets and not deaf else ()

    for gap in headers.gaps(site, missing):
        names = " and ".join(line.split()[1] for line in gap.lines)
        told = [value for name in headers.SCHEME_HEADERS if (value := gap.routes[0].scope.header(name))]
        yield at(
            RULE,
            gap.place,
            f"{gap.who} passes on {names} as the client wrote it: one that contradicts nginx gets 400",
            nginx=told[0],
            fix=gap.text,
            edits=gap.edits,
        )
