"""What a server includes: `tuning.conf`, times and sizes towards clients and Gunicorn; `gzip.conf`; `tls.conf` and
`hsts.conf`, Mozilla's intermediate configuration, guidelines 6.0.

https://ssl-config.mozilla.org; X25519MLKEM768 comes first by itself with OpenSSL 3.5, and older ones do not know it.
"""

from __future__ import annotations

from gunicorn_autotune.nginx.site.gunicorn import Gunicorn
from gunicorn_autotune.nginx.write.fitting import as_word, header_buffer_kib, read_seconds
from gunicorn_autotune.nginx.write.options import Options
from gunicorn_autotune.nginx.write.rendered.lines import Row, rows

CONNECT_SECONDS = 5
"""The kernel tries a dropped SYN again after 1 and 3 s: two more chances (NGX106)."""
RETRY_SECONDS = 10


def tuning(gunicorn: Gunicorn, options: Options) -> str:
    """tuning.conf."""
    return rows([*_clients(gunicorn, options), "", *_gunicorn(gunicorn, options)])


def _clients(gunicorn: Gunicorn, options: Options) -> list[Row]:
    return [
        "# Clients",
        ("sendfile", "on"),
        ("tcp_nopush", "on"),
        ("keepalive_timeout", "15s", "idle clients take a connection each"),
        ("client_header_timeout", "15s"),
        ("client_body_timeout", "30s", "between two reads, not for the whole upload"),
        ("send_timeout", "30s"),
        ("client_max_body_size", options.largest_body, "413 beyond; Flask's MAX_CONTENT_LENGTH should agree"),
        ("large_client_header_buffers", header_buffers(gunicorn), _header_why(gunicorn)),
        ("server_tokens", "off"),
    ]


def header_buffers(gunicorn: Gunicorn) -> str:
    """Number and size; the same in the default server, where nginx reads it before it knows the host."""
    return f"4 {header_buffer_kib(gunicorn)}k"


def _header_why(gunicorn: Gunicorn) -> str:
    size, line = gunicorn.get("limit_request_field_size", 8190), gunicorn.get("limit_request_line", 4094)
    return f"limit_request_field_size {size}; URLs over limit_request_line {line}: 414"


def _gunicorn(gunicorn: Gunicorn, options: Options) -> list[Row]:
    seconds, why = read_seconds(gunicorn)
    return [
        "# Gunicorn",
        ("proxy_connect_timeout", f"{CONNECT_SECONDS}s", "a full listen queue shows as 504 after this long"),
        ("proxy_send_timeout", f"{seconds}s"),
        ("proxy_read_timeout", f"{seconds}s", why),
        *_retries(options),
        ("proxy_request_buffering", "on", "slow uploads hold no worker"),
        ("proxy_buffering", "on", "slow readers hold no worker"),
        ("proxy_buffer_size", "16k", "headers of an answer; large cookies"),
        ("proxy_buffers", "16 16k", "larger answers go through a file"),
    ]


def _retries(options: Options) -> list[Row]:
    if len(options.servers) > 1:
        return [
            ("proxy_next_upstream", "error timeout", "the other host; never a POST that was sent already"),
            ("proxy_next_upstream_tries", "2"),
            (
                "proxy_next_upstream_timeout",
                f"{RETRY_SECONDS}s",
                "enough if a host is down, too short for a slow request",
            ),
        ]
    return [("proxy_next_upstream", "off", "or a GET that kills its worker goes to one worker after another")]


def gzip() -> str:
    """gzip.conf."""
    return rows(
        [
            ("gzip", "on"),
            ("gzip_comp_level", "5", "higher levels cost more CPU and save little"),
            ("gzip_min_length", "1024"),
            ("gzip_proxied", "any", "also for clients behind another proxy"),
            ("gzip_vary", "on"),
            "# text/html is always among them; images, fonts (woff2) and archives are compressed already.",
            "gzip_types text/plain text/css text/xml text/javascript application/javascript application/json",
            "           application/ld+json application/manifest+json application/problem+json application/xml",
            "           application/rss+xml application/atom+xml image/svg+xml font/ttf font/otf;",
        ]
    )


CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
)
HSTS_SECONDS = 63072000
"""Two years, as Mozilla writes it."""


def modern() -> list[Row]:
    """Protocols and ciphers."""
    return [
        ("ssl_protocols", "TLSv1.2 TLSv1.3", "Mozilla's intermediate; Debian's nginx.conf still has 1.0"),
        ("ssl_ciphers", ":".join(CIPHERS)),
        ("ssl_prefer_server_ciphers", "off"),
    ]


def tls(options: Options) -> str:
    """tls.conf."""
    return rows(
        [
            ("ssl_certificate", as_word(options.certificate)),
            ("ssl_certificate_key", as_word(options.key)),
            "",
            *modern(),
            ("ssl_session_cache", f"shared:{options.name}_tls:10m"),
            ("ssl_session_timeout", "1d"),
            ("ssl_session_tickets", "off"),
            "",
            ("proxy_hide_header", "Strict-Transport-Security", "the app's own; one is enough"),
            ("include", f"{options.name}/hsts.conf"),
        ]
    )


def hsts() -> str:
    """hsts.conf: a file of its own, to be included again wherever a location has an add_header."""
    return rows(
        [
            "# Browsers will use only https for two years, and this cannot be undone: try max-age=300 first.",
            ("add_header", f'Strict-Transport-Security "max-age={HSTS_SECONDS}" always'),
        ]
    )
