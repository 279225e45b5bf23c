"""The configuration file that `init` writes, as text, and what was asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from gunicorn_autotune.cli.heartbeat import memory_folder_works

CONFIG_NAME = "gunicorn_autotune.conf"
GRACEFUL_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Site:
    """What was asked for, checked."""

    folder: Path
    name: str
    app: str
    user: str
    bind: str
    proxy_user: str = "www-data"
    """Who may open a UNIX socket."""


def config_text(site: Site) -> str:
    """gunicorn_autotune.conf."""
    tmp = (
        "# Heartbeat files of the workers, in memory: on a stalled disk healthy workers would be killed.\n"
        'worker_tmp_dir = "/dev/shm"\n\n'
        if memory_folder_works()
        else ""
    )
    return CONFIG.format(site=site, bind=json.dumps(site.bind), graceful=GRACEFUL_SECONDS, tmp=tmp)


CONFIG = """\
# Python, like every Gunicorn configuration file. Written once by `gunicorn-autotune init`; it is yours now.
#
#     gunicorn -c gunicorn_autotune.conf {site.app}
#
# By hand, without systemd: add `-b 127.0.0.1:8000`; the command line wins over this file. Gunicorn remarks that a
# "configuration file should have a valid Python extension": that line is expected and harmless.

import os

from gunicorn_autotune import install

# Where the proxy in front finds Gunicorn. Under systemd the socket is opened by {site.name}.socket: change its
# ListenStream and this line together, then restart both.
bind = {bind}

# What `ps` and `gunicorn-autotune status --server {site.name}` call this server.
proc_name = "{site.name}"

# sync, the default, suits apps that compute. For apps that wait for a database or other services, threads are cheaper:
# worker_class = "gthread"
# threads = 4

# Each worker imports the app, so a reload brings new code. Imported once, before the fork, new workers are ready sooner
# and share its memory; but then a reload leaves the code as it was, only a restart brings the new, and the app must
# neither open connections nor start threads while it is imported:
# preload_app = True

{tmp}# How long a worker that leaves may take to finish its requests, in seconds. TimeoutStopSec of the unit is longer.
graceful_timeout = {graceful}

# Seconds an idle connection of the proxy is kept (gthread and event loops; sync closes each). It must be longer than
# the proxy's own: with nginx, `keepalive_timeout 4s;` in the upstream. Else requests are lost now and then (502).
keepalive = 10

# The socket of gunicornc (Gunicorn 25.1 and later): under systemd the home folder may not be writable.
if "RUNTIME_DIRECTORY" in os.environ:
    control_socket = os.environ["RUNTIME_DIRECTORY"] + "/gunicorn.ctl"

# The worker count is autotune's: at least 2, at most what cores and memory allow. A `workers` that you write is what it
# starts with, and `workers = 1` stays one until you write min_workers or max_workers. Mind the database: it must take
# max_workers times the connections of one worker. Every setting can also come from the environment, as
# GUNICORN_AUTOTUNE_MAX_WORKERS=16. To look on first without any change: mode="observe".
install(globals())
"""
