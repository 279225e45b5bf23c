"""Checks of what will run: Gunicorn, Python, the settings, the worker class, kept-alive connections."""

from __future__ import annotations

import platform
import re
import sys

from gunicorn_autotune.cli.finding import Check, Finding, Host, fail, ok, warn
from gunicorn_autotune.runtime.compat import SINGLE, THREADED, UNKNOWN

OLDEST, LINGERS, CURABLE = (22, 0, 0), (27, 0, 1), (25, 3, 0)
"""Oldest supported; first that answers kept-alive requests of a leaving gthread worker; first without loss when the
proxy keeps no connection."""
TRIED = "22.0.0 to 27.0.1"
LOST_BEFORE_CURABLE = "1 to 9 of 4,800"
"""In some ten recycles, by autotune and by Gunicorn's own max_requests alike: gthread in docs/reliability.md."""
PROXY_IDLE_SECONDS = 60
"""nginx's default keepalive_timeout in an upstream."""


def version_of(text: str) -> tuple[int, ...]:
    """`27.0.1` as numbers; what follows (rc1, .dev0) is left out."""
    match = re.match(r"\d+(\.\d+)*", text)
    return tuple(map(int, match[0].split("."))) if match else ()


def check_gunicorn(host: Host) -> Finding | None:
    """Whether it can be imported, is new enough and has every private name."""
    version, missing = host.probe.gunicorn, host.probe.missing_names
    install = f"{sys.executable} -m pip install 'gunicorn>=22.0.0'"
    if not version:
        return fail(f"cannot be imported by {sys.executable}: {host.probe.error}", install)
    if version_of(version) < OLDEST:
        return fail(f"{version} is too old, 22.0.0 is the oldest supported", install)
    if missing:
        return fail(f"{version} has no {', '.join(missing)}: autotune would only observe", f"use {TRIED}")
    return ok(f"{version}, with every private name that autotune leans on")


def check_python(host: Host) -> Finding | None:
    """The interpreter, and whether the system is one whose limits can be read."""
    version = f"{platform.python_version()} on {platform.system()}"
    if not sys.platform.startswith("linux"):
        return warn(f"{version}: no /proc, no cgroups", "fine for development; tune on Linux")
    return ok(version)


def check_settings(host: Host) -> Finding | None:
    """Whether the configuration loads, installs autotune and passes its checks."""
    place = host.location or "environment and defaults"
    if not host.probe.gunicorn:
        return None
    if host.probe.error:
        return fail(f"{place}: {host.probe.error}", "correct it; Gunicorn would stop at start")
    if host.probe.policy is None:
        return fail(
            f"{place} never calls install(): Gunicorn would start untuned",
            "add `from gunicorn_autotune import install` and, last, `install(globals())`",
        )
    mode = host.policy.mode
    if mode != "active":
        return warn(f"{place}: mode = {mode!r}, no worker count will be changed", "mode = 'active' when you trust it")
    return ok(f"{place}: mode active, min_workers {host.policy.min_workers}")


def check_worker_class(host: Host) -> Finding | None:
    """Whether the worker class reports its requests."""
    name = host.setting("worker_class_str", "")
    if not name:
        return None
    if host.probe.kind == UNKNOWN:
        return warn(
            f"{name} does not report its requests: only queue and CPU can size it", "sync, gthread, gevent or asgi"
        )
    threads = f", {host.setting('threads', 1)} requests at once in a worker" if host.probe.kind == THREADED else ""
    return ok(f"{name} reports its requests{threads}")


def check_keep_alive(host: Host) -> Finding | None:
    """Requests lost on kept-alive connections; figures measured with nginx in front, gthread only."""
    version, kind = version_of(host.probe.gunicorn), host.probe.kind
    if not version or (host.location and kind != THREADED):
        return ok(f"{host.setting('worker_class_str', 'sync')} is not affected") if kind == SINGLE else None
    who = "gthread" if kind == THREADED else "with gthread (not set here), Gunicorn"
    if version < LINGERS:
        return _loses(f"{who} {host.probe.gunicorn}", curable=version >= CURABLE)
    seconds = host.setting("keepalive", 2)
    if kind == THREADED and seconds <= PROXY_IDLE_SECONDS:
        return _judged(seconds)
    return ok(f"{who} {host.probe.gunicorn} answers kept-alive requests before a worker leaves")


def _loses(who: str, *, curable: bool) -> Finding:
    newer, leaving = "gunicorn 27.0.1 or later", "when a worker leaves, whoever makes it leave"
    if curable:
        finding = f"{who} loses kept-alive requests {leaving} (docs/reliability.md)"
        return warn(finding, f"{newer}, or no upstream keepalive in the proxy")
    figures = f"{LOST_BEFORE_CURABLE} in ten recycles, docs/reliability.md"
    return warn(f"{who} loses requests {leaving} ({figures})", newer)


def _judged(seconds: int) -> Finding:
    pair = "nginx: keepalive_timeout 4s in the upstream"
    if seconds > 4:
        return ok(f"keepalive {seconds} s: must be longer than the proxy's idle time, as in {pair}")
    return warn(
        f"keepalive = {seconds} s: a proxy that keeps idle connections longer (nginx: 60 s) gets 502s",
        f"keepalive = 10, and {pair}",
    )


CHECKS: dict[str, Check] = {
    "gunicorn": check_gunicorn,
    "python": check_python,
    "settings": check_settings,
    "worker_class": check_worker_class,
    "keep_alive": check_keep_alive,
}
