"""The figures of nginx that follow from Gunicorn's settings, each with its reason in a few words."""

from __future__ import annotations

import re

from gunicorn_autotune.nginx.site import defaults
from gunicorn_autotune.nginx.site.gunicorn import SYNC, THREADED, UNKNOWN, Gunicorn, bind_of
from gunicorn_autotune.nginx.write.options import Options

LEAST_KEPT, MOST_KEPT = 8, 128
"""Kept connections of an nginx worker. Measured with 32 clients: 16 gain what there is to gain; the upper bound is for
event loops, whose worker takes 1000 requests at once."""
SECONDS_BELOW = 6
"""How much earlier than Gunicorn nginx lets go of an idle connection; one second is enough on an idle machine."""
LONGEST_IDLE_SECONDS = 60
"""nginx's own default."""
LINGERS, CURABLE = (27, 0, 1), (25, 3, 0)
"""First Gunicorn whose leaving gthread worker answers kept-alive requests; first without loss where the proxy keeps no
connection (measured, docs/nginx.md)."""
LEAST_READ_SECONDS = 5
"""Below, good requests that wait for a worker get 504 (NGX105)."""
NO_LIMIT_READ_SECONDS = 60
"""nginx's own default, where nothing of Gunicorn's bounds a request."""
MOST_LIMITED = 65535
"""The largest `limit_conn` that nginx takes; a listen queue ends there too."""
MOST_CONNECTIONS = 1 << 17
"""Of one nginx worker, which sets memory aside for each at its start: some 55 MB."""
SOCKET_PATH_BYTES = 107
"""sun_path of sockaddr_un (unix(7)) less its end mark."""
_BUFFER_MOST_KIB = 64
"""One client may take four such buffers."""
_WORD = re.compile(r"[^\s;{}\"'\\#$]+")


class FittingError(ValueError):
    """A setting of Gunicorn that nginx cannot be given; one line for the operator."""


def why_not_kept(gunicorn: Gunicorn, options: Options) -> str:
    """Why no connection to Gunicorn is kept; empty where they are."""
    if gunicorn.kind == SYNC:
        return "sync workers close each connection, so keeping them gains nothing"
    if gunicorn.kind == THREADED and gunicorn.numbers < LINGERS:
        loss = "loses kept-alive requests when a worker leaves"
        rest = "" if gunicorn.numbers >= CURABLE else ", others too (27 of 11,366)"
        return f"gthread of Gunicorn {gunicorn.version} {loss}{rest}; the cure is 27.0.1 or later"
    if options.numbers < defaults.UPSTREAM_TIMEOUT:
        return f"nginx {options.nginx_version} cannot be told to let go before Gunicorn does; 1.15.3 can"
    if int(gunicorn.get("keepalive", 2)) < 2:
        return f"keepalive = {gunicorn.get('keepalive')} leaves nginx no time to let go first; 10 does"
    return ""


def kept_connections(gunicorn: Gunicorn, options: Options) -> int:
    """`keepalive N`: idle connections of each nginx worker, from the most workers there may ever be."""
    wanted = -(-2 * capacity(gunicorn, options) // max(1, options.nginx_workers))
    return min(MOST_KEPT, max(LEAST_KEPT, wanted))


def idle_seconds(gunicorn: Gunicorn) -> int:
    """`keepalive_timeout` of the upstream: strictly below Gunicorn's keepalive, which must be 2 or more."""
    return min(LONGEST_IDLE_SECONDS, max(1, int(gunicorn.get("keepalive", 2)) - SECONDS_BELOW))


def capacity(gunicorn: Gunicorn, options: Options) -> int:
    """Requests at work at once when every worker that may be is there, on every host."""
    return gunicorn.most_workers * gunicorn.requests_at_once * hosts(options)


def hosts(options: Options) -> int:
    """Gunicorns behind this nginx; all are assumed to have the settings that were read."""
    return max(1, len(options.servers))


def read_seconds(gunicorn: Gunicorn) -> tuple[int, str]:
    """`proxy_read_timeout`, and why.

    Sync: Gunicorn ends a request after `timeout`. If nginx gave up earlier, the worker would go on with a dead request.
    gthread and event loops: `timeout` bounds no request, and what outlasts graceful_timeout dies with its worker.
    """
    timeout, graceful = int(gunicorn.get("timeout", 30)), int(gunicorn.get("graceful_timeout", 30))
    if gunicorn.kind in (SYNC, UNKNOWN):
        if not timeout:
            return NO_LIMIT_READ_SECONDS, "nginx's own: timeout = 0 ends no request"
        return timeout + 5, f"timeout {timeout} + 5: Gunicorn gives up first"
    why = f"graceful_timeout {graceful}: a leaving worker waits no longer"
    return max(LEAST_READ_SECONDS, graceful), why


def most_requests(gunicorn: Gunicorn, options: Options) -> int:
    """Requests of the whole site at once: at work, and waiting in Gunicorn's listen queue."""
    return capacity(gunicorn, options) + int(gunicorn.get("backlog", 2048)) * hosts(options)


def limited_requests(gunicorn: Gunicorn, options: Options) -> int:
    """`limit_conn` of all clients together: most_requests, where nginx can count so far."""
    return min(MOST_LIMITED, most_requests(gunicorn, options))


def listen_backlog(gunicorn: Gunicorn) -> int:
    """`backlog` of nginx's own listen queue, as Gunicorn's; 0 is none that nginx takes."""
    return max(0, min(MOST_LIMITED, int(gunicorn.get("backlog", 2048))))


def header_buffer_kib(gunicorn: Gunicorn) -> int:
    """Of one large header line, so that nginx refuses no line that Gunicorn takes (0 there is no limit)."""
    limits = [int(gunicorn.get(name, 8190)) for name in ("limit_request_line", "limit_request_field_size")]
    if min(limits) <= 0:
        return _BUFFER_MOST_KIB
    return min(_BUFFER_MOST_KIB, max(8, -(-(max(limits) + 2) // 1024)))


def connections_needed(gunicorn: Gunicorn, options: Options) -> int:
    """`worker_connections`: a proxied request takes two, and idle clients take one each."""
    wanted = -(-2 * most_requests(gunicorn, options) // max(1, options.nginx_workers))
    return min(MOST_CONNECTIONS, max(4096, 1 << (wanted - 1).bit_length()))


def addresses(gunicorn: Gunicorn, options: Options) -> tuple[str, ...]:
    """What stands after `server` in the upstream; a FittingError where `bind` cannot tell."""
    if options.servers:
        return options.servers
    binds = [bind for bind in gunicorn.get("bind", ()) if not bind.startswith("fd://")]
    if not binds:
        raise FittingError(f"bind = {gunicorn.get('bind')!r}: nginx needs an address; use --server-address")
    # Two addresses of one Gunicorn would be two peers, and one failure would take out one of them.
    local = [bind for bind in binds if bind.startswith("unix:")]
    return (_address((local or binds)[0], str(gunicorn.get("chdir", ""))),)


def _address(bind: str, folder: str) -> str:
    found = bind_of(bind, folder)
    if found is None or (not found.path and not 0 < found.port < 65536):
        raise FittingError(f"bind = {bind!r}: gives no address that nginx could connect to; use --server-address")
    if found.host == "localhost":
        return f"127.0.0.1:{found.port}"
    if found.path.startswith(("@", "\0")):
        raise FittingError(f"bind = {bind!r}: nginx cannot connect to an abstract socket, only to a file")
    if found.path and not found.path.startswith("/"):
        raise FittingError(f"bind = {bind!r}: relative to a folder that is not known here; use --server-address")
    if len(found.path.encode()) > SOCKET_PATH_BYTES:
        raise FittingError(f"bind = {bind!r}: the path of a socket must have at most {SOCKET_PATH_BYTES} bytes")
    return found.reachable_text


def as_word(word: str) -> str:
    """One word of a configuration; a FittingError for what cannot be one: `$` begins a variable, a line ends."""
    if _WORD.fullmatch(word) and word.isprintable():
        return word
    if "$" in word or not word or not word.isprintable():
        raise FittingError(f"{word!r}: must not contain $ or control characters")
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
