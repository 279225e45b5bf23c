"""What an operator should know about the rendered files, one sentence each."""

from __future__ import annotations

from gunicorn_autotune.nginx.site.gunicorn import SYNC, THREADED, Gunicorn
from gunicorn_autotune.nginx.write.fitting import LINGERS, idle_seconds, why_not_kept
from gunicorn_autotune.nginx.write.options import Options

GOOD_KEEPALIVE = 10


def notes(gunicorn: Gunicorn, options: Options) -> list[str]:
    """In order of weight; empty where all is well."""
    found = [
        _recycles(gunicorn),
        _keepalive(gunicorn, options),
        _public(gunicorn, options),
        _endless(gunicorn),
        "no --domain: the site answers every host name; name its own, and other hosts get no answer"
        if not options.domains
        else "",
        _far(options),
        _upgrades(gunicorn),
    ]
    return [note for note in found if note]


def _recycles(gunicorn: Gunicorn) -> str:
    if gunicorn.kind != THREADED or gunicorn.numbers >= LINGERS:
        return ""
    return f"{why_not_kept(gunicorn, Options())}; no connection to it is kept"


def _keepalive(gunicorn: Gunicorn, options: Options) -> str:
    seconds = int(gunicorn.get("keepalive", 2))
    if gunicorn.kind == SYNC or _recycles(gunicorn) or seconds >= GOOD_KEEPALIVE:
        return ""
    kept = f"connections are kept for {idle_seconds(gunicorn)} s only"
    if why_not_kept(gunicorn, options):
        kept = "no connection can be kept"
    return f"{gunicorn.shown('keepalive')}: {kept}; keepalive = {GOOD_KEEPALIVE} in Gunicorn's file, then render again"


def _public(gunicorn: Gunicorn, options: Options) -> str:
    opened = [bind for bind in gunicorn.get("bind", ()) if bind.startswith(("0.0.0.0:", "[::]:", ":"))]
    if not opened or options.servers:
        return ""
    return f"bind = {opened[0]}: clients can bypass nginx; with 127.0.0.1 or a socket they cannot"


def _endless(gunicorn: Gunicorn) -> str:
    if int(gunicorn.get("timeout", 30)):
        return ""
    return "timeout = 0: a worker that hangs is never replaced"


def _far(options: Options) -> str:
    if not any(not one.startswith(("127.", "unix:", "[::1]")) for one in options.servers):
        return ""
    return "Gunicorn on other hosts: its forwarded_allow_ips must name this nginx, else scheme and client are lost"


def _upgrades(gunicorn: Gunicorn) -> str:
    if gunicorn.kind in (SYNC, THREADED):
        return ""
    return "WebSockets: proxy.conf passes no Upgrade header; a location for them needs lines of its own"
