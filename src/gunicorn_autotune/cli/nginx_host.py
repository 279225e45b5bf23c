"""What the host adds to a configuration of nginx (nginx/host.py). What cannot be read is None, never an exception."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterable
from pathlib import Path

from gunicorn_autotune.cli.nginx_binary import Build, nginx_build, nginx_test
from gunicorn_autotune.cli.nginx_names import host_names, own_addresses, peers, resolved, socket_paths
from gunicorn_autotune.cli.nginx_running import read_listening, read_workers
from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.nginx.read.timing import Timing, timing
from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.site.gunicorn import Gunicorn
from gunicorn_autotune.nginx.site.host import HostFacts, SocketFile
from gunicorn_autotune.runtime.in_force import group_name, user_name
from gunicorn_autotune.sensors.limits import read_somaxconn

LOG_BYTES = 1 << 20
"""Read from the end of the logs, all of one kind together."""
TIMING_FORMAT = "autotune"


def host_facts(
    config: Directive, gunicorn: Gunicorn | None, nginx_binary: str | None, *, hangs: bool = False
) -> HostFacts:
    """All that can be read here; `config` is the main block, whose file is the one that nginx is given.

    Takes at most some 1.5 s for names, and `nginx_binary` is asked with a bound of its own; with `hangs` not for `-t`.
    """
    tests = nginx_binary if Path(config.file).is_file() and not hangs else None
    build = nginx_build(nginx_binary) if nginx_binary else None
    passed_to, bind = peers(config), gunicorn.get("bind", ()) if gunicorn else ()
    somaxconn = read_somaxconn()
    pid_file = _pid_file(config, build)
    workers = read_workers(pid_file) if pid_file else None
    return HostFacts(
        cpus=os.cpu_count(),
        somaxconn=None if isinstance(somaxconn, Missing) else somaxconn,
        addresses=resolved(host_names(passed_to, bind)),
        own_addresses=own_addresses(),
        listening=read_listening(),
        sockets=dict(_sockets(socket_paths(passed_to, bind))),
        nginx_groups=_worker_groups(config, build),
        worker_open_files=workers.open_files if workers else None,
        nginx_started_unix_seconds=workers.started_unix_seconds if workers else None,
        changed_unix_seconds=dict(_changes(config)),
        test=nginx_test(tests, config.file) if tests else None,
        error_log=_error_log(config, build),
        timing=_timing(config, build),
    )


def _below(build: Build | None, path: str) -> str | None:
    """`path` as nginx would open it; None for one whose prefix is not known, with a variable, or that is no file."""
    if "$" in path or path == "stderr" or path.startswith(("syslog:", "memory:")):
        return None
    if path.startswith("/"):
        return path
    return None if build is None else f"{build.prefix}/{path}"


def _pid_file(config: Directive, build: Build | None) -> str | None:
    directive = config.child("pid")
    if directive is not None and directive.args:
        return _below(build, directive.args[0])
    return None if build is None else _below(build, build.pid_path)


def _sockets(paths: Iterable[str]) -> Iterable[tuple[str, SocketFile | None]]:
    """Each with what `stat` says, None where there is no socket; one in a folder that we may not enter is left out."""
    for path in sorted(paths):
        try:
            found = os.stat(path)  # noqa: PTH116
        except (FileNotFoundError, NotADirectoryError):
            yield path, None
            continue
        except (OSError, ValueError):
            continue
        yield path, _socket_file(found) if stat.S_ISSOCK(found.st_mode) else None


def _socket_file(found: os.stat_result) -> SocketFile:
    return SocketFile(found.st_mode & 0o777, user_name(found.st_uid), group_name(found.st_gid))


def _worker_groups(config: Directive, build: Build | None) -> tuple[str, ...] | None:
    """Primary first, as initgroups(3) will set them; None for a user or group that this host does not have.

    `user NAME;` takes the group of the same name; without the directive both are those of the build.
    """
    directive = config.child("user")
    if directive is not None and directive.args:
        user, group = directive.args[0], directive.args[-1]
    elif build is not None:
        user, group = build.user, build.group or _group_of_nobody()
    else:
        return None
    try:
        gids = os.getgrouplist(user, grp.getgrnam(group).gr_gid)
        pwd.getpwnam(user)
    except (KeyError, OSError, ValueError):
        return None
    return tuple(dict.fromkeys(map(group_name, gids)))


def _group_of_nobody() -> str:
    """As nginx's configure chooses it (auto/unix)."""
    return "nogroup" if any(entry.gr_name == "nogroup" for entry in grp.getgrall()) else "nobody"


def _changes(config: Directive) -> Iterable[tuple[str, float]]:
    """Every file that a directive came from, with the time of its last change."""
    for file in sorted({config.file, *(directive.file for directive in config.walk())}):
        try:
            yield file, Path(file).stat().st_mtime
        except (OSError, ValueError):
            continue


def _error_log(config: Directive, build: Build | None) -> tuple[str, ...] | None:
    """The last lines of every error log named, or of the build's where none is; None when none can be read."""
    named = [one.args[0] for one in config.walk() if one.name == "error_log" and one.args]
    if not named and build is not None:
        named = [build.error_log_path]
    return _last_lines(_below(build, path) for path in named)


def _timing(config: Directive, build: Build | None) -> Timing | None:
    """Of every access log in our format."""
    logs = [one.args for one in config.walk() if one.name == "access_log" and one.args[1:2] == (TIMING_FORMAT,)]
    lines = _last_lines(_below(build, words[0]) for words in logs)
    return timing(lines) if lines else None


def _last_lines(paths: Iterable[str | None]) -> tuple[str, ...] | None:
    """The ends of these files, LOG_BYTES in all; None when none of them can be read."""
    files = sorted({path for path in paths if path is not None})
    ends = [_end_of(path, LOG_BYTES // len(files)) for path in files]
    read = [end for end in ends if end is not None]
    return tuple(line for end in read for line in end) if read else None


def _end_of(path: str, size_bytes: int) -> list[str] | None:
    """Whole lines from the last `size_bytes` of a regular file; None when it is none, or refused."""
    try:
        # Not blocking: a log may be a FIFO (the nginx image of Docker links it to a terminal).
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return None
        start = max(0, found.st_size - size_bytes)
        file.seek(start)
        lines = file.read(size_bytes).decode("utf-8", "replace").removesuffix("\n").split("\n")
    return lines[1:] if start else [line for line in lines if line]
