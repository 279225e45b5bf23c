"""One request that kills its worker: how often does it run when nginx tries again?"""

from __future__ import annotations

import http.client
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.demo_server import status_of
from benchmarks.faults.options import Tell
from benchmarks.faults.proxy import Proxy
from benchmarks.nginx.front import GUIDE, OFF, OURS, Pair, Site, nginx
from benchmarks.nginx.options import Options
from benchmarks.nginx.plain import UNIX, Plain, plains

WORKERS = 4
AT_ONCE = 16
REPEATS = 3
"""How many workers the kept connections lead to is chance."""
WAIT_SECONDS = 0.05
SETTLE_SECONDS = 1.0
BRISK = replace(GUIDE, title="kept, retries by default", gunicorn_keepalive=75)
CASES: dict[str, tuple[str, Pair, str]] = {
    "default": ("GET, kept connections, `proxy_next_upstream` default", BRISK, "GET"),
    "off": ("GET, ours: kept connections, `proxy_next_upstream off`", OURS, "GET"),
    "not_kept": ("GET, connections not kept, `proxy_next_upstream` default", OFF, "GET"),
    "post": ("POST, kept connections, `proxy_next_upstream` default", BRISK, "POST"),
}


def seconds(options: Options) -> float:
    """What the cell takes."""
    return len(CASES) * REPEATS * 2.0


def run(options: Options, tell: Tell) -> dict[str, Any]:
    """Every case, each on a fresh server."""
    runs = {}
    for name, (title, pair, method) in CASES.items():
        ran = [one_run(options.python, pair, method) for _ in range(REPEATS)]
        runs[name] = {"title": title, "ran": ran}
        tell(f"retry: {title}: it ran {ran} times")
    return {"workers": WORKERS, "runs": runs}


def one_run(python: str, pair: Pair, method: str) -> int:
    """How often the app began one `/die`."""
    with tempfile.TemporaryDirectory(prefix="autotune-") as name:
        deaths = Path(name) / "deaths"
        told = {"SITE_WAIT_SECONDS": str(WAIT_SECONDS), "SITE_DEATHS": str(deaths)}
        made = Plain("gthread", UNIX, pair.gunicorn_keepalive, WORKERS, told)
        with plains(python, [made], Path(name)) as (server,):
            site = Site("app", server.address, pair)
            with nginx(Path(name), [site]) as front:
                fill(front, site)
                ask_to_die(front, site, method)
                time.sleep(SETTLE_SECONDS)
                return len(deaths.read_bytes()) if deaths.exists() else 0


def fill(front: Proxy, site: Site) -> None:
    """Many at once, so that nginx keeps connections to every worker."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda _: status_of(front.server.port, f"/{site.name}/"), range(2 * AT_ONCE)))


def ask_to_die(front: Proxy, site: Site, method: str) -> None:
    """One request; what it gets is no matter."""
    connection = http.client.HTTPConnection("127.0.0.1", front.server.port, timeout=10)
    with suppress(OSError, http.client.HTTPException):
        connection.request(method, f"/{site.name}/die", body=b"x" if method == "POST" else None)
        connection.getresponse().read()
    connection.close()
