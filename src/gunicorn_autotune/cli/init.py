"""Write gunicorn_autotune.conf, a systemd service and its socket for this host.

Nothing is ever overwritten: when one of the files exists, none is written.
Exit codes: 0 written, 1 a file exists already, 2 bad usage.
"""

from __future__ import annotations

import argparse
import os
import pwd
import re
import shlex
import stat
import sys
from pathlib import Path

from gunicorn_autotune.cli import init_rules
from gunicorn_autotune.cli.init_files import CONFIG_NAME, Site, config_text
from gunicorn_autotune.cli.init_unit import host_facts, socket_text, unit_text
from gunicorn_autotune.cli.style import CommandError, Style

HELP = "write a configuration file and systemd units for this host"
EXISTS = 1


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--dir", default=".", help="where your app is; the files are written there (default: .)")
    parser.add_argument("--app", default="wsgi:app", metavar="MODULE:NAME", help="the WSGI app (default: wsgi:app)")
    parser.add_argument("--user", default="www-data", help="whom the service runs as (default: www-data)")
    parser.add_argument("--name", help="of the service and its folder in /run (default: the name of --dir)")
    parser.add_argument("--bind", help="unix:/path or IP:PORT (default: unix:/run/NAME.sock)")
    parser.add_argument("--proxy-user", default="www-data", help="who may open a UNIX socket (default: www-data)")


def run(options: argparse.Namespace, style: Style) -> tuple[int, str]:
    """Exit code and text."""
    site = site_of(options)
    files = {
        site.folder / CONFIG_NAME: config_text(site),
        site.folder / f"{site.name}.service": unit_text(site, host_facts(site.folder)),
        site.folder / f"{site.name}.socket": socket_text(site),
    }
    there = [str(path) for path in files if os.path.lexists(path)]
    if there:
        raise CommandError(f"{', '.join(there)}: never overwritten, so nothing was written; move away first", EXISTS)
    write_all(files)
    return 0, "\n".join([*(f"wrote {path}" for path in files), *_notes(site, style), "", *_next_steps(site)])


def site_of(options: argparse.Namespace) -> Site:
    """The options, checked."""
    folder = init_rules.check_dir(options.dir)
    name = init_rules.check_name(options.name or _name_from(folder))
    bind = options.bind if options.bind is not None else f"unix:/run/{name}.sock"
    return Site(
        folder=folder,
        name=name,
        app=init_rules.check_app(options.app),
        user=init_rules.check_user("--user", options.user),
        bind=init_rules.check_bind(bind, name),
        proxy_user=init_rules.check_user("--proxy-user", options.proxy_user),
    )


def _name_from(folder: Path) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", folder.name.lower()).strip("-_")[:40] or "gunicorn"


def write_all(files: dict[Path, str]) -> None:
    """All of them or none: what was written before an error is taken back."""
    written: list[Path] = []
    try:
        for path, text in files.items():
            with path.open("x", encoding="utf-8") as file:
                written.append(path)
                file.write(text)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        raise CommandError(f"cannot write {error.filename or path}: {error.strerror}; nothing was written") from None


def _notes(site: Site, style: Style) -> list[str]:
    notes = []
    module = site.app.partition(":")[0].replace(".", "/")
    if not (site.folder / f"{module}.py").is_file() and not (site.folder / module).is_dir():
        notes.append(f"no {module}.py in {site.folder}: is --app {site.app} right?")
    if (site.folder / "gunicorn.conf.py").exists():
        notes.append(f"{site.folder}/gunicorn.conf.py is not read beside {CONFIG_NAME}: bring its settings over")
    try:
        user = pwd.getpwnam(site.user)
    except KeyError:
        notes.append(f"no user {site.user} on this host: create it, or choose another with --user")
    else:
        closed = {_closed(path, user) for path in (site.folder, Path(sys.prefix))} - {""}
        notes += [f"{folder} is closed to others: can {site.user} enter it?" for folder in sorted(closed)]
    if site.bind.startswith("unix:") and not _exists(site.proxy_user):
        notes.append(f"no user {site.proxy_user} on this host: who is your proxy? --proxy-user nginx, perhaps")
    notes.append(f"the app may write to /run/{site.name}, /tmp and /dev/shm: name other folders in ReadWritePaths")
    return [style.paint("yellow", f"note: {note}") for note in notes]


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _closed(path: Path, user: pwd.struct_passwd) -> str:
    """The first folder on the way to `path` that is neither the user's nor open to all; empty when there is none."""
    for folder in [*reversed(path.parents), path]:
        status = folder.stat()
        if user.pw_uid not in (0, status.st_uid) and not status.st_mode & stat.S_IXOTH:
            return str(folder)
    return ""


def _next_steps(site: Site) -> list[str]:
    name, folder = site.name, shlex.quote(str(site.folder))
    units = f"{name}.service {name}.socket"
    return [
        "next:",
        f"  cd {folder} && gunicorn-autotune doctor --config {CONFIG_NAME}",
        f"  sudo cp {units} /etc/systemd/system/ && sudo systemctl daemon-reload",
        f"  sudo systemctl enable --now {units}",
        "  gunicorn-autotune status",
        "later, without losing a request:",
        f"  new code: sudo systemctl reload {name}",
        f"  new packages, or new code with preload_app, which a reload does not bring: sudo systemctl restart {name}",
        f"to stop it, with the socket, or the next request starts it again: sudo systemctl stop {units}",
    ]
