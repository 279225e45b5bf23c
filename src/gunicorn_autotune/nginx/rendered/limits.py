"""`NAME/limits.conf`, in a location before proxy.conf: what one client, and all together, may ask."""

from __future__ import annotations

from gunicorn_autotune.nginx.fitting import MOST_LIMITED, capacity, hosts, limited_requests, most_requests
from gunicorn_autotune.nginx.gunicorn import Gunicorn
from gunicorn_autotune.nginx.options import Options
from gunicorn_autotune.nginx.rendered.lines import rows

BURST_SECONDS = 2
CLIENT_REQUESTS = 50


def text(gunicorn: Gunicorn, options: Options) -> str:
    """The whole file."""
    name = options.name
    backlog = int(gunicorn.get("backlog", 2048)) * hosts(options)
    beyond = "beyond, it overflows" if most_requests(gunicorn, options) <= MOST_LIMITED else "nginx counts no further"
    return rows(
        [
            "# An office behind one address is one client: raise its limits before you lower them.",
            (
                "limit_req",
                f"zone={name}_rate burst={options.rate * BURST_SECONDS} nodelay",
                f"{options.rate} a second each, {options.rate * BURST_SECONDS} more at once",
            ),
            ("limit_conn", f"{name}_client {CLIENT_REQUESTS}", "at once; each HTTP/2 request counts"),
            (
                "limit_conn",
                f"{name}_all {limited_requests(gunicorn, options)}",
                f"all clients: at work {capacity(gunicorn, options)} + backlog {backlog}; {beyond}",
            ),
            ("limit_req_status", "429"),
            ("limit_conn_status", "429"),
        ]
    )
