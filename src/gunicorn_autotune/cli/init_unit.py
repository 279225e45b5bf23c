"""The two systemd units that `init` writes, as text: what was asked for and what this host has, in; files, out."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from gunicorn_autotune.cli.init_files import CONFIG_NAME, GRACEFUL_SECONDS, Site
from gunicorn_autotune.exporter.address import parse_address
from gunicorn_autotune.model.policy import Policy, with_automatic_max
from gunicorn_autotune.model.readings import known
from gunicorn_autotune.sensors.cgroup import find_cgroup, read_host

STOP_SECONDS = GRACEFUL_SECONDS + 10
"""Gunicorn waits for its workers, then systemd kills what is left."""
OPEN_FILES = 65535
MAX_SHARE = 0.85
TASKS_A_WORKER = 24
"""Threads of one worker, generously: gthread's pool, or an event loop's helpers."""
LEAST_TASKS = 512
BACKLOG = 2048
"""Gunicorn's default. Newer versions (27.0.1, not 22.0.0) never call listen() on a socket that listens already."""
MIB = 1 << 20
HOMES, TMP = ("/home", "/root", "/run/user"), ("/tmp", "/var/tmp")


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
    needed: tuple[Path, ...] = ()
    """What the service must be able to read: the site, its environment and its Python, links followed."""


def host_facts(folder: Path) -> HostFacts:
    """Of this host and this interpreter, for a site in `folder`."""
    reading = read_host(find_cgroup())
    memory_bytes = known(reading.memory_least_limit_bytes, 0) or None
    places = (folder, Path(sys.prefix), Path(sys.base_prefix))
    script = Path(sys.prefix) / "bin" / "gunicorn"
    return HostFacts(
        prefix=sys.prefix,
        gunicorn=quoted(str(script)) if script.is_file() else f"{quoted(sys.executable)} -m gunicorn",
        kill=shutil.which("kill") or "/bin/kill",
        memory_bytes=memory_bytes,
        max_workers=with_automatic_max(Policy(), known(reading.cpu_limit_cores, 1.0), memory_bytes).max_workers,
        needed=tuple(sorted({path.resolve() for path in places} | set(places))),
    )


def quoted(word: str) -> str:
    """One word of a unit's command line: systemd.service(5) expands % and $, and splits at spaces."""
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{word}"' if any(letter in word for letter in " \t'\";\\()") else word


def unit_text(site: Site, facts: HostFacts) -> str:
    """NAME.service."""
    memory, in_tmp = facts.memory_bytes, _any_below(facts.needed, TMP)
    config = f"{site.folder}/{CONFIG_NAME}"
    return UNIT.format(
        site=site,
        facts=facts,
        app=quoted(site.app),
        chdir=quoted(str(site.folder)),
        config=quoted(config),
        folder=str(site.folder).replace("%", "%%"),
        path=environment_path(facts.prefix),
        stop=STOP_SECONDS,
        graceful=GRACEFUL_SECONDS,
        files=OPEN_FILES,
        tasks=max(LEAST_TASKS, 2 * facts.max_workers * TASKS_A_WORKER),
        most=f"{int(memory * MAX_SHARE) // MIB}M" if memory else "85%",
        has=f"This host grants {memory // MIB}M" if memory else "What this host grants could not be read",
        private_tmp="no" if in_tmp else "yes",
        shared_tmp=SHARED_TMP if in_tmp else "",
        protect_home="read-only" if _any_below(facts.needed, HOMES) else "yes",
    )


def _any_below(paths: tuple[Path, ...], folders: tuple[str, ...]) -> bool:
    return any(path.is_relative_to(folder) for path in paths for folder in folders)


def socket_text(site: Site) -> str:
    """NAME.socket."""
    address = parse_address(site.bind, "bind")
    if address.path:
        listen = address.path.replace("%", "%%")
        access = f"# Only the proxy opens it; Gunicorn is handed it.\nSocketUser={site.proxy_user}\nSocketMode=0660\n"
    else:
        # Gunicorn's empty host means every IPv4 address; systemd's means IPv6 too.
        listen, access = str(replace(address, host=address.host or "0.0.0.0")), ""
    return SOCKET.format(site=site, listen=listen, access=access, backlog=BACKLOG)


def environment_path(prefix: str) -> str:
    """`Environment=` with the interpreter's bin first, so that the app finds its own tools."""
    value = f"PATH={prefix}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    value = value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'Environment="{value}"'


SHARED_TMP = """\
# ProtectSystem=strict makes /tmp read-only where PrivateTmp=no.
ReadWritePaths=/tmp /var/tmp
"""

UNIT = """\
# Written once by `gunicorn-autotune init`; it is yours now.
#
#     sudo cp {site.name}.service {site.name}.socket /etc/systemd/system/
#     sudo systemctl daemon-reload && sudo systemctl enable --now {site.name}.socket {site.name}.service

[Unit]
Description=Gunicorn with autotune, {site.name}
# The socket comes first, and is kept while this service restarts.
Requires={site.name}.socket
After=network.target {site.name}.socket

[Service]
# Gunicorn tells systemd itself when it is ready; only the arbiter may.
Type=notify
NotifyAccess=main
User={site.user}
WorkingDirectory={folder}
{path}
# --chdir and the whole path: where the folder is a link to a release, a reload follows it to the next one.
ExecStart={facts.gunicorn} --chdir {chdir} -c {config} {app}
# A reload brings new code and settings and loses no request, unless preload_app is on: then the code stays as it was,
# and only `systemctl restart` brings the new. New packages and a new Gunicorn need a restart too. It loses no request
# either: they wait in the socket until the new server is up.
ExecReload={facts.kill} -HUP $MAINPID
Restart=always
RestartSec=2

# SIGTERM goes to the arbiter alone, which lets the workers finish ({graceful} s, graceful_timeout); then all is killed.
KillMode=mixed
TimeoutStopSec={stop}

# /run/{site.name}, for gunicornc and the commands of `gunicorn-autotune`.
RuntimeDirectory={site.name}

# One worker killed for memory is replaced by the arbiter; without this systemd would stop the whole service.
OOMPolicy=continue
LimitNOFILE={files}
TasksMax={tasks}

# {has}. autotune keeps below this limit;
# `systemctl set-property {site.name} MemoryMax=...` changes it while it runs.
# Not MemoryHigh: above it the kernel slows every worker down instead of ending the fattest, and requests time out.
#MemoryMax={most}

# These lines limit what an attacker can do from inside a worker. `systemd-analyze security {site.name}` rates them.
# The app may write to /run/{site.name}, /tmp and /dev/shm. Any other folder that it writes to, for uploads or SQLite,
# has to be named here:
#ReadWritePaths={folder}/media
{shared_tmp}ProtectSystem=strict
# `init` writes read-only if the site or its Python is in a home folder, and PrivateTmp=no if one of them is in /tmp.
ProtectHome={protect_home}
PrivateTmp={private_tmp}
PrivateMounts=yes
PrivateDevices=yes
ProtectProc=invisible
ProtectControlGroups=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectClock=yes
ProtectHostname=yes
NoNewPrivileges=yes
CapabilityBoundingSet=
# AF_NETLINK tells autotune how many connections wait at a UNIX socket.
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
# Turn this one off for code that compiles while it runs: PyPy, numba, PyTorch.
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
# Not `~@privileged @resources` besides: Gunicorn would not start.
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
# Files that the app makes are for its user and group alone.
UMask=0007

[Install]
WantedBy=multi-user.target
Also={site.name}.socket
"""

SOCKET = """\
# Written once by `gunicorn-autotune init`; it is yours now. {site.name}.service says how to install both.

[Unit]
Description=Socket of Gunicorn with autotune, {site.name}

[Socket]
# systemd listens and hands the socket to Gunicorn: while that restarts, requests wait here. `bind` in
# gunicorn_autotune.conf says the same address. A UNIX socket must not lie in /run/{site.name}: systemd removes that
# folder when the service stops.
ListenStream={listen}
{access}# Newer versions of Gunicorn leave the queue as long as they find it; this is their own default.
Backlog={backlog}

[Install]
WantedBy=sockets.target
"""
