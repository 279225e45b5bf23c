"""What a location includes: `limits.conf`, then `proxy.conf`, which hands the request to Gunicorn, then `stream.conf`
where answers are long.
"""

from __future__ import annotations

from gunicorn_autotune.nginx.site.gunicorn import SYNC, Gunicorn
from gunicorn_autotune.nginx.write.fitting import (
    MOST_LIMITED,
    capacity,
    hosts,
    limited_requests,
    most_requests,
    why_not_kept,
)
from gunicorn_autotune.nginx.write.options import Options
from gunicorn_autotune.nginx.write.rendered.lines import Row, rows

STREAM_SECONDS = 3600


def proxy(gunicorn: Gunicorn, options: Options) -> str:
    """Passing on, with every header; one proxy_set_header elsewhere in the location would drop them all."""
    scheme = "https" if gunicorn.get("tls") else "http"
    kept = not why_not_kept(gunicorn, options)
    return rows(
        [
            f"if (-f {options.folder}/maintenance.on) {{ return 503; }}  # see errors.conf",
            "",
            ("proxy_pass", f"{scheme}://{options.name}_gunicorn"),
            ("proxy_http_version", "1.1"),
            ("proxy_set_header", 'Connection ""' if kept else "Connection close", _connection(kept)),
            "",
            ("proxy_set_header", f"Host {_host(options)}"),
            ("proxy_set_header", "X-Real-IP $remote_addr"),
            ("proxy_set_header", "X-Forwarded-For $proxy_add_x_forwarded_for", "only its last entry is nginx's"),
            ("proxy_set_header", "X-Forwarded-Proto $scheme", "for wsgi.url_scheme, from forwarded_allow_ips"),
            ("proxy_set_header", 'X-Request-Start "t=${msec}"', "autotune's queue time"),
            ("proxy_set_header", "X-Request-ID $request_id", "`id=` in the timing log"),
            "",
            "# A client must not set these: contradicting schemes give 400, the others may mislead the app.",
            *(("proxy_set_header", f'{name} ""') for name in BLANKED),
        ]
    )


BLANKED = (
    "X-Forwarded-Ssl",
    "X-Forwarded-Protocol",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "Forwarded",
)


def _host(options: Options) -> str:
    """Without a port; with nginx's where it is not the usual one, so that the app's redirects find it."""
    port = options.listening[0].rpartition(":")[2]
    return "$host" if port == ("443" if options.tls else "80") else "$host:$server_port"


def _connection(kept: bool) -> str:
    return "kept open: see upstream" if kept else "one request each: see upstream"


def stream(gunicorn: Gunicorn) -> str:
    """Server-sent events and other answers that come bit by bit."""
    graceful = gunicorn.get("graceful_timeout", 30)
    warning: list[Row] = [f"# Each takes a thread; when its worker leaves it ends after graceful_timeout {graceful} s."]
    if gunicorn.kind == SYNC:
        warning = [
            f"# Each takes a whole sync worker, and Gunicorn ends it after timeout {gunicorn.get('timeout', 30)} s."
        ]
    return rows(
        [
            "# After proxy.conf: what the app yields is sent at once.",
            *warning,
            ("proxy_buffering", "off", "Gunicorn waits for slow readers here, nowhere else"),
            ("proxy_read_timeout", f"{STREAM_SECONDS}s", "the longest silence between two parts"),
            ("gzip", "off", "it would hold parts back"),
        ]
    )


BURST_SECONDS = 2
CLIENT_REQUESTS = 50


def limits(gunicorn: Gunicorn, options: Options) -> str:
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
