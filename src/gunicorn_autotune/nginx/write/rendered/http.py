"""What only the http block may hold: `conf.d/NAME-http.conf`, the upstream and the limits' zones, and
`conf.d/00-autotune.conf`, the formats of the timing log, the same for every site of a host.
"""

from __future__ import annotations

from gunicorn_autotune.nginx.site import defaults
from gunicorn_autotune.nginx.site.gunicorn import THREADED, Gunicorn
from gunicorn_autotune.nginx.write.fitting import (
    addresses,
    as_word,
    hosts,
    idle_seconds,
    kept_connections,
    why_not_kept,
)
from gunicorn_autotune.nginx.write.options import Options
from gunicorn_autotune.nginx.write.rendered.lines import Row, block, rows


def http(gunicorn: Gunicorn, options: Options) -> str:
    """The upstream, and the zones where there are limits."""
    upstream = block(f"upstream {options.name}_gunicorn", [*_servers(gunicorn, options), "", *_kept(gunicorn, options)])
    return upstream + ("\n" + rows(_zones(options)) if options.rate else "")


def _servers(gunicorn: Gunicorn, options: Options) -> list[Row]:
    peers = [as_word(one) for one in addresses(gunicorn, options)]
    if len(peers) == 1:
        why = "--server-address" if options.servers else "bind"
        lines: list[Row] = [("server", f"{peers[0]} fail_timeout=0", f"{why}; never banned after a failure")]
        return [*_permissions(gunicorn, peers[0]), *lines]
    return [
        "# Hosts are shared fairly by all nginx workers (zone). Three failures within 5 s ban one for 5 s.",
        "# On each, Gunicorn's forwarded_allow_ips must name this nginx, or scheme and client address are lost.",
        ("zone", f"{options.name}_gunicorn 64k"),
        "least_conn;",
        *(("server", f"{peer} max_fails=3 fail_timeout=5s") for peer in peers),
    ]


def _permissions(gunicorn: Gunicorn, peer: str) -> list[Row]:
    """Why nginx may not reach a socket file."""
    if not peer.strip('"').startswith("unix:"):
        return []
    lines: list[Row] = []
    umask = int(gunicorn.get("umask", 0))
    if umask & 0o006:
        lines.append(
            f"# umask = {umask:#o}: nginx's user must be of the socket's group, else 502 (13: Permission denied)."
        )
    if peer.strip('"').startswith(("unix:/tmp/", "unix:/var/tmp/")):
        lines.append("# nginx cannot see this socket if its service has PrivateTmp: bind to a folder in /run instead.")
    return lines


def _kept(gunicorn: Gunicorn, options: Options) -> list[Row]:
    """Kept connections, or why there are none."""
    why_not = why_not_kept(gunicorn, options)
    if why_not:
        lines: list[Row] = [f"# No keepalive: {why_not}."]
        if options.numbers >= defaults.KEPT_BY_DEFAULT:
            lines.append(("keepalive", "0", "since 1.29.7 nginx keeps 32 unless told"))
        return lines
    count, idle = kept_connections(gunicorn, options), idle_seconds(gunicorn)
    return [
        "# nginx must close an idle connection before Gunicorn does, or POSTs get 502 (`--explain NGX001`).",
        (
            "keepalive",
            f"{count}",
            f"idle, for each of {options.nginx_workers} nginx workers: 2 x {_size(gunicorn, options)}, 8 to 128",
        ),
        ("keepalive_timeout", f"{idle}s", f"below Gunicorn's keepalive {gunicorn.get('keepalive', 2)}"),
        _lifetime(options),
    ]


def _size(gunicorn: Gunicorn, options: Options) -> str:
    """`max_workers 8 x threads 4`."""
    name = "threads" if gunicorn.kind == THREADED else "worker_connections"
    several = f" x {hosts(options)} hosts" if hosts(options) > 1 else ""
    return f"max_workers {gunicorn.most_workers} x {name} {gunicorn.requests_at_once}{several}"


def _lifetime(options: Options) -> Row:
    if options.numbers < defaults.KEEPALIVE_TIME:
        return ("keepalive_requests", "100", "connections end, so that new workers get their share")
    return ("keepalive_time", "2s", "connections end, so that new workers get their share within seconds")


def _zones(options: Options) -> list[Row]:
    name = options.name
    return [
        "# Used in limits.conf. Behind another proxy $binary_remote_addr is that proxy: set real_ip_header first.",
        ("limit_req_zone", f"$binary_remote_addr zone={name}_rate:10m rate={options.rate}r/s"),
        ("limit_conn_zone", f"$binary_remote_addr zone={name}_client:10m"),
        ("limit_conn_zone", f"$server_name zone={name}_all:1m"),
    ]


FORMAT = """\
log_format autotune 'rt=$request_time uct=$upstream_connect_time uht=$upstream_header_time '
                    'urt=$upstream_response_time status=$status bytes=$body_bytes_sent '
                    'at=$time_iso8601 client=$remote_addr id=$request_id upstream=$upstream_addr '
                    'request="$request" agent="$http_user_agent"';
"""
LOG = (
    """\
# Where the time of a request went, in seconds; the same file for every site of this host.
#     rt    from the client's first byte to the last byte sent to it
#     uct   connecting to Gunicorn, uht until its answer began, urt until it ended; a comma means nginx tried twice
# What the client wrote comes last, so that it cannot pass for a figure.
"""
    + FORMAT
    + """
log_format autotune_json escape=json
    '{"rt":"$request_time","uct":"$upstream_connect_time","uht":"$upstream_header_time",'
    '"urt":"$upstream_response_time","status":"$status","bytes":"$body_bytes_sent",'
    '"at":"$time_iso8601","client":"$remote_addr","id":"$request_id","upstream":"$upstream_addr",'
    '"method":"$request_method","uri":"$request_uri","agent":"$http_user_agent"}';
"""
)
