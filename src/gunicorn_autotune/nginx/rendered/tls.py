"""`NAME/tls.conf` and `NAME/hsts.conf`, in a server: Mozilla's intermediate configuration, guidelines 6.0.

https://ssl-config.mozilla.org; X25519MLKEM768 comes first by itself with OpenSSL 3.5, and older ones do not know it.
"""

from __future__ import annotations

from gunicorn_autotune.nginx.fitting import quoted
from gunicorn_autotune.nginx.options import Options
from gunicorn_autotune.nginx.rendered.lines import Row, rows

CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
)  # fmt: skip
HSTS_SECONDS = 63072000


def modern() -> list[Row]:
    """Protocols and ciphers."""
    return [
        ("ssl_protocols", "TLSv1.2 TLSv1.3", "Mozilla's intermediate; Debian's nginx.conf still has 1.0"),
        ("ssl_ciphers", ":".join(CIPHERS)),
        ("ssl_prefer_server_ciphers", "off"),
    ]


def text(options: Options) -> str:
    """tls.conf."""
    return rows(
        [
            ("ssl_certificate", quoted(options.certificate)),
            ("ssl_certificate_key", quoted(options.key)),
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
            "# For two years browsers come by https only, and nothing takes that back: try max-age=300 first.",
            ("add_header", f'Strict-Transport-Security "max-age={HSTS_SECONDS}" always'),
        ]
    )
