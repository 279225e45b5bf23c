"""The two files that `init` writes, as text: what was asked for and what this host has, in; files, out."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from gunicorn_autotune.cli.heartbeat import memory_folder_works
from gunicorn_autotune.model.policy import Policy, with_automatic_max
from gunicorn_autotune.model.readings import known
from gunicorn_autotune.sensors.cgroup import find_cgroup, read_host

GRACEFUL_SECONDS = 30
STOP_SECONDS = GRACEFUL_SECONDS + 10
"""Gunicorn waits for its workers, then systemd kills what is left."""
OPEN_FILES = 65535
HIGH_SHARE, MAX_SHARE = 0.75, 0.85
TASKS_A_WORKER = 24
"""Threads of one worker, generously: gthread's pool, or an event loop's helpers."""
LEAST_TASKS = 512
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Site:
    """What was asked for, checked."""

    folder: Path
    name: str
    app: str
    user: str
    bind: str


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What the unit depends on."""

    prefix: str
    """The virtual environment, or where Python is installed."""
    gunicorn: str
    """Words in front of Gunicorn's options: its script, or Python with -m."""
    kill: str
    memory_bytes: int | None
    max_workers: int


def host_facts() -> HostFacts:
    """Of this host and this interpreter."""
    reading = read_host(find_cgroup())
    memory_bytes = known(reading.memory_limit_bytes, 0) or None
    script = Path(sys.prefix) / "bin" / "gunicorn"
    return HostFacts(
        prefix=sys.prefix,
        gunicorn=quoted(str(script)) if script.is_file() else f"{quoted(sys.executable)} -m gunicorn",
        kill=shutil.which("kill") or "/bin/kill",
        memory_bytes=memory_bytes,
        max_workers=with_automatic_max(Policy(), known(reading.cpu_limit_cores, 1.0), memory_bytes).max_workers,
    )


def quoted(word: str) -> str:
    """One word of a unit's command line: systemd.service(5) expands % and $, and splits at spaces."""
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{word}"' if any(letter in word for letter in " \t'\";\\()") else word


def config_text(site: Site) -> str:
    """gunicorn_autotune.conf."""
    tmp = (
        "# Heartbeat files of the workers, in memory: on a stalled disk healthy workers would be killed.\n"
        'worker_tmp_dir = "/dev/shm"\n\n'
        if memory_folder_works()
        else ""
    )
    return CONFIG.format(site=site, bind=json.dumps(site.bind), graceful=GRACEFUL_SECONDS, tmp=tmp)


def unit_text(site: Site, facts: HostFacts) -> str:
    """The systemd unit."""
    memory = facts.memory_bytes
    return UNIT.format(
        site=site,
        facts=facts,
        app=quoted(site.app),
        folder=str(site.folder).replace("%", "%%"),
        path=environment_path(facts.prefix),
        stop=STOP_SECONDS,
        graceful=GRACEFUL_SECONDS,
        files=OPEN_FILES,
        tasks=max(LEAST_TASKS, 2 * facts.max_workers * TASKS_A_WORKER),
        high=f"{int(memory * HIGH_SHARE) // MIB}M" if memory else "75%",
        most=f"{int(memory * MAX_SHARE) // MIB}M" if memory else "85%",
        has=f"This host grants {memory // MIB}M" if memory else "What this host grants could not be read",
    )


def environment_path(prefix: str) -> str:
    """`Environment=` with the interpreter's bin first, so that the app finds its own tools."""
    value = f"PATH={prefix}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    value = value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'Environment="{value}"'


CONFIG = """\
# Python, like every Gunicorn configuration file. Written once by `gunicorn-autotune init`; it is yours now.
#
#     gunicorn -c gunicorn_autotune.conf {site.app}
#
# By hand, without systemd: add `-b 127.0.0.1:8000`; the command line wins over this file. Gunicorn remarks that a
# "configuration file should have a valid Python extension": that line is expected and harmless.

import os

from gunicorn_autotune import install

# Where the proxy in front finds Gunicorn.
bind = {bind}

# sync, the default, suits apps that compute. For apps that wait for a database or other services, threads are cheaper:
# worker_class = "gthread"
# threads = 4

# Each worker imports the app, so a reload brings new code. Imported once, before the fork, new workers are ready sooner
# and share its memory; but then only a restart brings new code, and the app must neither open connections nor start
# threads while it is imported:
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

UNIT = """\
# Written once by `gunicorn-autotune init`; it is yours now.
#
#     sudo cp {site.name}.service /etc/systemd/system/
#     sudo systemctl daemon-reload && sudo systemctl enable --now {site.name}

[Unit]
Description=Gunicorn with autotune, {site.name}
After=network.target

[Service]
# Gunicorn tells systemd itself when it is ready; only the arbiter may.
Type=notify
NotifyAccess=main
User={site.user}
WorkingDirectory={folder}
{path}
ExecStart={facts.gunicorn} -c gunicorn_autotune.conf {app}
# New code and settings, and no request lost. With preload_app the code stays: `systemctl restart` then.
ExecReload={facts.kill} -HUP $MAINPID
Restart=always
RestartSec=2

# SIGTERM goes to the arbiter alone, which lets the workers finish ({graceful} s, graceful_timeout); then all is killed.
KillMode=mixed
TimeoutStopSec={stop}

# /run/{site.name}, for sockets.
RuntimeDirectory={site.name}

# One worker killed for memory is replaced by the arbiter; without this systemd would stop the whole service.
OOMPolicy=continue
LimitNOFILE={files}
TasksMax={tasks}

# {has}. autotune keeps below the lower of these two;
# `systemctl set-property {site.name} MemoryHigh=...` changes it while it runs.
#MemoryHigh={high}
#MemoryMax={most}

[Install]
WantedBy=multi-user.target
"""
