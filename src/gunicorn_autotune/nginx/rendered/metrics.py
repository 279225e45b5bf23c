"""`conf.d/NAME-metrics.conf`: nginx's own figures and autotune's, for this host and whom it lets in."""

from __future__ import annotations

from gunicorn_autotune.nginx.fitting import quoted
from gunicorn_autotune.nginx.options import Options
from gunicorn_autotune.nginx.rendered.lines import Row, block


def text(options: Options) -> str:
    """The whole file."""
    allowed: list[Row] = [
        *(("allow", address) for address in options.metrics_allow),
        ("deny", "all", "--metrics-allow ADDRESS lets Prometheus in"),
    ]
    lines: list[Row] = [
        ("listen", options.metrics_listen, "--metrics-listen; never an address that the internet reaches"),
        ("server_name", f"{options.name}-metrics"),
        ("server_tokens", "off"),
        ("access_log", "off"),
        "",
        *_location("= /nginx_status", ["stub_status;", *allowed]),
    ]
    if options.exporter:
        lines += ["", "# /autotune/metrics, /autotune/status.json, /autotune/-/ready"]
        lines += _location("/autotune/", [*_exporter(options), "", *allowed])
    return block("server", [*lines, "", *_location("/", ["return 404;"])])


def _exporter(options: Options) -> list[Row]:
    return [("rewrite", "^/autotune(/.*)$ $1 break"), ("proxy_pass", quoted(options.exporter))]


def _location(place: str, lines: list[Row]) -> list[Row]:
    return [*block(f"location {place}", lines).splitlines()]
