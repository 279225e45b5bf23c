"""The systemd unit that `init` writes, as text: what was asked for and what this host has, in; a file, out."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from gunicorn_autotune.cli.init_files import GRACEFUL_SECONDS, Site
from gunicorn_autotune.model.policy import Policy, with_automatic_max
from gunicorn_autotune.model.readings import known
from gunicorn_autotune.sensors.cgroup import find_cgroup, read_host

STOP_SECONDS = GRACEFUL_SECONDS + 10
"""Gunicorn waits for its workers, then systemd kills what is left."""
OPEN_FILES = 65535
HIGH_SHARE, MAX_SHARE = 0.75, 0.85
TASKS_A_WORKER = 24
"""Threads of one worker, generously: gthread's pool, or an event loop's helpers."""
LEAST_TASKS = 512
MIB = 1 << 20


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
    memory_bytes = known(reading.memory_least_limit_bytes, 0) or None
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
