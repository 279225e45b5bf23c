"""nginx's defaults, by version. Source: the modules' documentation at nginx.org and their merge functions."""

from __future__ import annotations

from gunicorn_autotune.nginx.read.quantity import version_of

KEPT_BY_DEFAULT = (1, 29, 7)
"""First nginx that keeps connections to an explicit upstream without being asked, with HTTP/1.1 and no
`Connection: close` (change log of 1.29.7)."""
KEEPALIVE_TIME = (1, 19, 10)
"""First with `keepalive_time`, and with 1000 instead of 100 requests a connection."""
UPSTREAM_TIMEOUT = (1, 15, 3)
"""First with `keepalive_timeout` and `keepalive_requests` in an upstream."""
HTTP2_DIRECTIVE = (1, 25, 1)
"""First with `http2 on;`, which replaces `listen ... http2`."""
ASSUMED = "1.22.1"
"""Debian 12's, where no version is known."""

_DEFAULTS = {
    "access_log": "logs/access.log combined",
    "client_body_timeout": "60s",
    "client_header_timeout": "60s",
    "client_max_body_size": "1m",
    "fail_timeout": "10s",
    "gzip": "off",
    "gzip_comp_level": "1",
    "gzip_min_length": "20",
    "gzip_proxied": "off",
    "gzip_types": "text/html",
    "keepalive_timeout": "75s",
    "large_client_header_buffers": "4 8k",
    "limit_conn_status": "503",
    "limit_req_status": "503",
    "open_file_cache": "off",
    "open_file_cache_errors": "off",
    "open_file_cache_valid": "60s",
    "proxy_buffering": "on",
    "proxy_connect_timeout": "60s",
    "proxy_next_upstream": "error timeout",
    "proxy_next_upstream_tries": "0",
    "proxy_read_timeout": "60s",
    "proxy_request_buffering": "on",
    "proxy_send_timeout": "60s",
    "send_timeout": "60s",
    "sendfile": "off",
    "server_tokens": "on",
    "tcp_nopush": "off",
    "underscores_in_headers": "off",
    "user": "nobody",
    "worker_connections": "512",
    "worker_processes": "1",
}


def of(name: str, version: str) -> tuple[str, ...]:
    """The arguments a directive has when nobody writes it; () where it has no default or we know none."""
    since = _by_version(name, version_of(version) or version_of(ASSUMED))
    return tuple((since or _DEFAULTS.get(name, "")).split())


def _by_version(name: str, version: tuple[int, ...]) -> str:
    if name == "proxy_http_version":
        return "1.1" if version >= KEPT_BY_DEFAULT else "1.0"
    if name == "keepalive_requests":
        return "1000" if version >= KEEPALIVE_TIME else "100"
    if name == "ssl_protocols":
        if version >= (1, 27, 3):
            return "TLSv1.2 TLSv1.3"
        return "TLSv1 TLSv1.1 TLSv1.2 TLSv1.3" if version >= (1, 23, 4) else "TLSv1 TLSv1.1 TLSv1.2"
    return ""
