"""`conf.d/NAME-metrics.conf`: nginx's own figures and autotune's, for this host and whom it lets in."""

from __future__ import annotations

from gunicorn_autotune.nginx.files.lines import Row, block
from gunicorn_autotune.nginx.fitting import quoted
from gunicorn_autotune.nginx.options import Options


def text(options: Options) -> str:
    """The whole file."""
    exporter: list[Row] = []
    if options.exporter:
        exporter = [
            "",
            "location /autotune/ {  # /autotune/metrics, /autotune/status.json, /autotune/-/ready",
            f"    proxy_pass {quoted(options.exporter)}/;",
            "}",
        ]
    lines: list[Row] = [
        ("listen", options.metrics_listen, "--metrics-listen; never an address the internet reaches"),
        ("server_name", f"{options.name}-metrics"),
        ("server_tokens", "off"),
        ("access_log", "off"),
        "",
        *(("allow", address) for address in options.metrics_allow),
        ("deny", "all", "--metrics-allow ADDRESS lets Prometheus in"),
        "",
        "location = /nginx_status {",
        "    stub_status;",
        "}",
        *exporter,
        "",
        "location / {",
        "    return 404;",
        "}",
    ]
    return block("server", lines)
