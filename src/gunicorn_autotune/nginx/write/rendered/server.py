"""The server blocks: `conf.d/NAME-site.conf`, redirect and site; `conf.d/NAME-unknown.conf` for other hosts;
`conf.d/NAME-metrics.conf`, nginx's own figures and autotune's, for this host and whom it lets in.
"""

from __future__ import annotations

from gunicorn_autotune.nginx.site import defaults
from gunicorn_autotune.nginx.site.gunicorn import Gunicorn
from gunicorn_autotune.nginx.write.fitting import as_word, listen_backlog
from gunicorn_autotune.nginx.write.options import Options
from gunicorn_autotune.nginx.write.rendered.lines import Row, block
from gunicorn_autotune.nginx.write.rendered.tuning import header_buffers, modern

REJECT_HANDSHAKE = (1, 19, 4)
"""First nginx with ssl_reject_handshake."""


def site(gunicorn: Gunicorn, options: Options) -> str:
    """The redirect where there is TLS, and the site."""
    redirect = _redirect(gunicorn, options) + "\n" if options.tls else ""
    return redirect + block("server", _site(gunicorn, options))


def unknown(gunicorn: Gunicorn, options: Options) -> str:
    """The default servers: whoever asks for another host gets no answer."""
    plain = options.redirecting if options.tls else options.listening
    heads = [[*_stranger(gunicorn, [f"{address} default_server" for address in plain]), "return 444;"]]
    if options.tls:
        words = f"{_protocol(options)} default_server"
        heads.append(_tls_stranger(gunicorn, options, [f"{address} {words}" for address in options.listening]))
    return (
        "# Requests for other hosts: closed without an answer. A port has one default server: if nginx says\n"
        '# "duplicate default server", delete this file, or the other (Debian: sites-enabled/default).\n'
        + "\n".join(block("server", lines) for lines in heads)
    )


def _stranger(gunicorn: Gunicorn, addresses: list[str]) -> list[Row]:
    return [
        *_listen(addresses, gunicorn),
        ("server_name", "_"),
        "",
        ("large_client_header_buffers", header_buffers(gunicorn), "read before the host is known: as in tuning.conf"),
        ("server_tokens", "off"),
        "",
    ]


def _tls_stranger(gunicorn: Gunicorn, options: Options, addresses: list[str]) -> list[Row]:
    """Whichever server is the default of a port decides the protocols of all."""
    lines = [*([("http2", "on")] if _protocol(options) == "ssl" else []), *_stranger(gunicorn, addresses), *modern()]
    if options.numbers < REJECT_HANDSHAKE:
        shown = [("ssl_certificate", as_word(options.certificate)), ("ssl_certificate_key", as_word(options.key))]
        return [*lines, *shown, "", "return 444;"]
    return [
        *lines,
        ("ssl_reject_handshake", "on", "no certificate is shown to strangers"),
        "",
        "# A browser that takes another host's connection for ours is told to open its own (RFC 9110, 15.5.20).",
        "location / {",
        "    return 421;",
        "}",
    ]


def _listen(addresses: list[str], gunicorn: Gunicorn) -> list[Row]:
    """`backlog` may stand at one `listen` of an address only: the default server's."""
    backlog = listen_backlog(gunicorn)
    if not backlog:
        return [("listen", address) for address in addresses]
    first, *more = (f"{address} backlog={backlog}" for address in addresses)
    return [("listen", first, "as Gunicorn's backlog; nginx's own is 511"), *(("listen", one) for one in more)]


def _redirect(gunicorn: Gunicorn, options: Options) -> str:
    lines: list[Row] = [("listen", address) for address in options.redirecting]
    if not options.domains:
        lines = _listen([f"{address} default_server" for address in options.redirecting], gunicorn)
    port = options.listening[0].rpartition(":")[2]
    target = "https://$host" + ("" if port == "443" else f":{port}")
    return block(
        "server",
        [
            *lines,
            ("server_name", _names(options)),
            "",
            ("server_tokens", "off"),
            ("large_client_header_buffers", header_buffers(gunicorn)),
            "",
            f"return 301 {target}$request_uri;",
        ],
    )


def _site(gunicorn: Gunicorn, options: Options) -> list[Row]:
    name = options.name
    return [
        *_listening(gunicorn, options),
        ("server_name", _names(options)),
        "",
        ("access_log", f"{options.log_dir}/{name}.timing.log autotune", "for programs: autotune_json"),
        "",
        *([("include", f"{name}/tls.conf")] if options.tls else []),
        ("include", f"{name}/tuning.conf"),
        ("include", f"{name}/gzip.conf"),
        ("include", f"{name}/errors.conf"),
        *([("include", f"{name}/static.conf")] if options.static or options.media else []),
        "",
        *_location(options, "/", stream=False),
        *(line for url in options.streams for line in ["", *_location(options, url, stream=True)]),
    ]


def _listening(gunicorn: Gunicorn, options: Options) -> list[Row]:
    words = _protocol(options)
    new: list[Row] = [("http2", "on")] if words == "ssl" else []
    if not options.domains:
        words = f"{words} default_server".strip()
        return [*_listen([f"{address} {words}" for address in options.listening], gunicorn), *new]
    return [*(("listen", f"{address} {words}".strip()) for address in options.listening), *new]


def _protocol(options: Options) -> str:
    """The same at every `listen` of a port: from 1.23.4 on nginx warns where they differ."""
    if not options.tls:
        return ""
    return "ssl http2" if options.numbers < defaults.HTTP2_DIRECTIVE else "ssl"


def _names(options: Options) -> str:
    return " ".join(options.domains) or "_"


def _location(options: Options, url: str, *, stream: bool) -> list[Row]:
    files = [*(["limits.conf"] if options.rate else []), "proxy.conf", *(["stream.conf"] if stream else [])]
    return [f"location {url} {{", *(f"    include {options.name}/{file};" for file in files), "}"]


def metrics(options: Options) -> str:
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
        *_place("= /nginx_status", ["stub_status;", *allowed]),
    ]
    if options.exporter:
        lines += ["", "# /autotune/metrics, /autotune/status.json, /autotune/-/ready"]
        lines += _place("/autotune/", [*_exporter(options), "", *allowed])
    return block("server", [*lines, "", *_place("/", ["return 404;"])])


def _exporter(options: Options) -> list[Row]:
    return [("rewrite", "^/autotune(/.*)$ $1 break"), ("proxy_pass", as_word(options.exporter))]


def _place(place: str, lines: list[Row]) -> list[Row]:
    return [*block(f"location {place}", lines).splitlines()]
