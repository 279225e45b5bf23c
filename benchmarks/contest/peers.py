"""The peers: uWSGI with its cheaper subsystem, Granian, Phusion Passenger. Set as their own documentation says.

All have Gunicorn's backlog, and never preload where a worker's boot is what the workload is about. None is tuned for
a workload; what was set is in the title.
"""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.contest.contenders import APPS, UWSGI, Contender, MissingError, Place, static_max
from benchmarks.contest.workloads import Workload
from benchmarks.micro import uwsgi
from benchmarks.micro.options import OUT
from benchmarks.micro.venv import NotBuiltError, make

UWSGI_FAST, GRANIAN, PASSENGER = "uwsgi-fast", "granian", "passenger"
APP = "site_app:app"
RELOAD_MIB = 80
LEAST = 2
"""Workers that a peer with an adaptive count keeps."""

GRANIAN_VERSION = "2.8.7"
GRANIAN_HOME = OUT / f"granian-{GRANIAN_VERSION}"
GRANIAN_BINARY = GRANIAN_HOME / "bin" / "granian"
GRANIAN_BACKLOG = 1024
"""Its default, from which it takes how many requests a worker has at once (backpressure: backlog / workers)."""

AGENT = Path("/usr/lib/passenger/support-binaries/PassengerAgent")
AGENT_PLACES = Path("/usr/lib/ruby/vendor_ruby/phusion_passenger/locations.ini")
"""Both where Debian's package `passenger` has them."""
PASSENGER_WSGI = """import sys

sys.path.insert(0, {apps!r})
from site_app import app as application
"""


def uwsgi_command(workload: Workload, place: Place, options: Sequence[str] = ()) -> list[str]:
    """Its busyness algorithm between LEAST and the static maximum.

    Behind a UNIX socket it cannot see the backlog: only a patched kernel tells it (unbit/uwsgi issue 2588).
    """
    cheaper = ["--cheaper", str(LEAST), "--cheaper-initial", str(LEAST), "--cheaper-algo", "busyness", *options]
    # By default a fork of uWSGI does not tell Python that it forked.
    boot = "--lazy-apps" if workload.import_cpu_seconds else "--py-call-osafterfork"
    bind = place.unix or f"127.0.0.1:{place.port}"
    return uwsgi.command(bind, ["--workers", str(static_max(workload)), *cheaper, boot], APP)


def uwsgi_fast_command(workload: Workload, place: Place) -> list[str]:
    """The same, set for speed: a window of a second, eight workers at a time, alarmed by 6 waiting requests."""
    return uwsgi_command(workload, place, ("--cheaper-overload", "1", *uwsgi.FASTER))


def granian_command(workload: Workload, place: Place) -> list[str]:
    """A worker for each core, as its README advises; threads and backpressure at their defaults."""
    bind = ["--uds", place.unix] if place.unix else ["--host", "127.0.0.1", "--port", str(place.port)]
    # With Gunicorn's backlog alone each worker would take twice as many requests at once.
    pressure = str(GRANIAN_BACKLOG // place.cores)
    return [
        str(GRANIAN_BINARY), "--interface", "wsgi", *bind, "--workers", str(place.cores),
        "--backlog", str(uwsgi.listen()), "--backpressure", pressure, APP,
    ]  # fmt: skip


def passenger_command(workload: Workload, place: Place) -> list[str]:
    """Its HTTP server alone (`passenger start --engine builtin` without the watchdog, which leaves the process tree).

    It takes no `--socket-backlog` (6.0.17 aborts on one); its default is Gunicorn's 2048.
    """
    startup = place.folder / "passenger_wsgi.py"
    startup.write_text(PASSENGER_WSGI.format(apps=str(APPS)))
    listen = f"unix:{place.unix}" if place.unix else f"tcp://127.0.0.1:{place.port}"
    user = pwd.getpwuid(os.geteuid()).pw_name
    # Its reports on processes that did not come up would be left in /tmp.
    return [
        "/usr/bin/env", f"TMPDIR={place.folder}", str(AGENT), "core", "--passenger-root", str(AGENT_PLACES),
        "--ctl", f"spawn_dir={place.folder}", "--no-user-switching", "--default-user", user, "--no-graceful-exit",
        "--disable-security-update-check", "--disable-anonymous-telemetry", "--listen", listen, "--app-type", "wsgi",
        "--startup-file", str(startup), "--python", sys.executable, "--max-pool-size", str(static_max(workload)),
        "--min-instances", str(LEAST), str(place.folder),
    ]  # fmt: skip


def prepare_uwsgi(tell: Callable[[str], None]) -> str:
    """Build it once; its version."""
    try:
        uwsgi.build(tell)
    except NotBuiltError as error:
        raise MissingError(f"uWSGI {uwsgi.VERSION} could not be built: {error}") from None
    return uwsgi.VERSION


def prepare_granian(tell: Callable[[str], None]) -> str:
    """Install it once; its version."""
    if not GRANIAN_BINARY.exists():
        tell(f"installing Granian {GRANIAN_VERSION} in {GRANIAN_HOME}")
        try:
            make(GRANIAN_HOME, (f"granian=={GRANIAN_VERSION}",))
        except NotBuiltError as error:
            raise MissingError(f"Granian {GRANIAN_VERSION} could not be installed: {error}") from None
    return GRANIAN_VERSION


def prepare_passenger(tell: Callable[[str], None]) -> str:
    """Its version; a system's package is the user's to install."""
    if not (os.access(AGENT, os.X_OK) and AGENT_PLACES.exists()):
        raise MissingError(f"Passenger is not installed (Debian: apt install passenger): no {AGENT}")
    told = subprocess.run([str(AGENT), "--version"], capture_output=True, text=True, timeout=10, check=False)
    return passenger_version(told.stdout + told.stderr)


def passenger_version(text: str) -> str:
    """`6.0.17`, or that it is not known."""
    found = re.search(r"Passenger\(R\) version (\d[\d.]*\d)", text)
    return found[1] if found else "unknown version"


def uwsgi_rss_command(workload: Workload, place: Place) -> list[str]:
    """The same, recycling a worker after the request that took it above RELOAD_MIB."""
    return uwsgi_command(workload, place, ("--reload-on-rss", str(RELOAD_MIB)))


UWSGI_RSS = Contender("uwsgi-rss", f"uWSGI {uwsgi.VERSION}, busyness at its defaults, reload-on-rss {RELOAD_MIB}",
                      uwsgi_rss_command, prepare_uwsgi)  # fmt: skip
"""Its remedy against a leak; runs that workload only."""
PEERS: tuple[Contender, ...] = (
    Contender(UWSGI, f"uWSGI {uwsgi.VERSION}, busyness at its defaults, {LEAST} workers to what memory holds",
              uwsgi_command, prepare_uwsgi),
    Contender(UWSGI_FAST, f"uWSGI {uwsgi.VERSION}, busyness set for speed (overload 1 s, step 8, backlog alert 5, "
              f"backlog step 8), {LEAST} workers to what memory holds", uwsgi_fast_command, prepare_uwsgi),
    Contender(GRANIAN, f"Granian {GRANIAN_VERSION}, a worker for each core, threads at its defaults (grown by need up "
              "to 512 over all)", granian_command, prepare_granian, not_workers=("resource_tracker",)),
    Contender(PASSENGER, f"Phusion Passenger, its own HTTP engine, {LEAST} processes to what memory holds, else its "
              "defaults (no preload, a queue of 100, then 503)", passenger_command, prepare_passenger,
              not_workers=("PassengerAgent", "Passenger core", "Passenger watchdog")),
)  # fmt: skip
