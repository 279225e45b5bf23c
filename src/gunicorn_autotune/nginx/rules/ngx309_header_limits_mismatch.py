"""What nginx lets through, Gunicorn should accept.

nginx takes a request line or a header as long as one buffer of `large_client_header_buffers`, 8k unless it is set.
Gunicorn refuses a header over `limit_request_field_size`, 8190 unless it is set, with **431**, and a request line over
`limit_request_line`, 4094 unless it is set, with **414** (measured, the borders to the byte: 8190 is what 8k lets
through). Whoever enlarges nginx's buffers for long cookies, tokens or signed links and leaves Gunicorn as it is still
gets the error, now from Gunicorn.

Set `limit_request_field_size` as large as nginx's buffers, and `limit_request_line = 8190`, the most that Gunicorn
accepts, if you want long URLs.

The rule is silent where only the request line differs, as it does with the defaults of both: URLs of 4.1 to 8.1 kB then
get 414 from Gunicorn instead of nginx, which is the same to a client. Gunicorn also refuses more headers than
`limit_request_fields`, 100 unless it is set, with 431. Ignore the rule where nothing of yours is that long.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity, at
from gunicorn_autotune.nginx.site.gunicorn import Gunicorn
from gunicorn_autotune.nginx.site.scope import Scope, Value
from gunicorn_autotune.nginx.site.site import Site

RULE = Rule("NGX309", Severity.WARNING, "Gunicorn accepts what nginx lets through", frozenset({Need.GUNICORN}))
LONGEST_LINE = 8190
"""Gunicorn's MAX_REQUEST_LINE: a larger limit counts as this one."""
_ENDING = 2
"""nginx's buffer holds the line's end as well."""


def check(site: Site) -> Iterator[Finding]:
    """Each size of nginx's buffers in force before Gunicorn, once."""
    gunicorn = site.gunicorn
    if gunicorn is None:
        return
    sizes = {(value := server.value("large_client_header_buffers")).origin: (server, value) for server in site.servers}
    for server, value in sizes.values():
        passed = _passed_bytes(server, value)
        wanted = {
            "limit_request_line": min(passed, LONGEST_LINE),
            "limit_request_field_size": passed,
        }
        short = {name: size for name, size in wanted.items() if _limit_bytes(gunicorn, name) < size}
        if "limit_request_field_size" in short:
            yield _finding(gunicorn, server, value, short)


def _finding(gunicorn: Gunicorn, server: Scope, value: Value, short: dict[str, int]) -> Finding:
    words = {"limit_request_line": ("request lines", 414), "limit_request_field_size": ("headers", 431)}
    over = " and ".join(f"{words[name][0]} over {_limit_bytes(gunicorn, name):,} ({words[name][1]})" for name in short)
    return at(
        RULE,
        value.directive or server.here,
        f"nginx lets {max(short.values()):,} bytes through, but Gunicorn refuses {over}",
        nginx=value,
        gunicorn=", ".join(gunicorn.shown(name) for name in short),
        fix="\n".join(f"{name} = {size}    # in Gunicorn's configuration file" for name, size in short.items()),
    )


def _passed_bytes(server: Scope, large: Value) -> int:
    """The longest line: the first buffer takes it where that is the larger one."""
    first = server.value("client_header_buffer_size").size_bytes or 0
    return max(large.size_bytes or 0, first) - _ENDING


def _limit_bytes(gunicorn: Gunicorn, name: str) -> float:
    """Gunicorn's limit: 0 is none, a negative one is the default of the field size."""
    written = int(gunicorn.get(name, 0))
    if written == 0:
        return float("inf")
    if written < 0:
        return LONGEST_LINE
    return min(written, LONGEST_LINE) if name == "limit_request_line" else written
