"""nginx itself on this host: its version, what it was built with, what it says about a configuration.

`-t` and `-T` open log files and the pid file as a start would, so they want the rights of a start; nothing of a running
nginx is touched.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass

from gunicorn_autotune.model.readings import Missing, Reading
from gunicorn_autotune.nginx.site.host import NginxTest

TIMEOUT_SECONDS = 3
"""A name in an upstream that no DNS server answers for holds `nginx -t` up; the files can be read without it."""
NO_ANSWER = f"no answer in {TIMEOUT_SECONDS} s"
FOLDERS = "/usr/sbin:/usr/local/sbin:/usr/local/nginx/sbin"
"""Where it lies; a user's PATH often lacks them."""


@dataclass(frozen=True, slots=True)
class Build:
    """What `nginx -V` says, with the defaults of nginx's own configure (auto/options, auto/unix)."""

    prefix: str = "/usr/local/nginx"
    """Relative paths of logs and of the pid file begin here."""
    user: str = "nobody"
    group: str = ""
    """Empty: nogroup where there is one, else nobody."""
    pid_path: str = "logs/nginx.pid"
    error_log_path: str = "logs/error.log"


def find_nginx() -> str | None:
    """Path of the program; None when there is none."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:{FOLDERS}")


def nginx_version(binary: str) -> str:
    """`1.22.1`; empty when it does not say."""
    ended = _run([binary, "-v"])
    match = None if isinstance(ended, Missing) else re.search(r"nginx/(\d[\w.]*)", _text(ended.stderr))
    return match[1] if match else ""


def nginx_build(binary: str) -> Build:
    """From `nginx -V`; the defaults of nginx's sources where it does not say."""
    ended = _run([binary, "-V"])
    match = None if isinstance(ended, Missing) else re.search(r"configure arguments: (.*)", _text(ended.stderr))
    try:
        words = shlex.split(match[1]) if match else []
    except ValueError:
        words = []
    given = dict(word.removeprefix("--").split("=", 1) for word in words if "=" in word)
    names = {name: name.replace("_", "-") for name in Build.__slots__}
    return Build(**{name: given[written] for name, written in names.items() if written in given})


def nginx_dump(binary: str, path: str) -> Reading[str]:
    """The whole configuration as `nginx -T` prints it; Missing with nginx's last words where it does not."""
    ended = _run([binary, "-T", "-c", os.path.abspath(path)])  # noqa: PTH100 (Path.resolve() would follow links)
    if isinstance(ended, Missing):
        return ended
    if ended.returncode:
        said = [line for line in _text(ended.stderr).splitlines() if "[emerg]" in line] or [f"exit {ended.returncode}"]
        return Missing(said[-1].removeprefix("nginx: "))
    return _text(ended.stdout)


def nginx_test(binary: str, path: str) -> NginxTest | None:
    """`nginx -t`; None when it could not be run, or failed for want of rights, which says nothing about the text."""
    ended = _run([binary, "-t", "-c", os.path.abspath(path)])  # noqa: PTH100
    if isinstance(ended, Missing):
        return None
    output = _text(ended.stderr).strip()
    if ended.returncode and os.geteuid() != 0 and "(13: Permission denied)" in output:
        return None
    return NginxTest(ended.returncode == 0, output)


def _run(command: list[str]) -> Reading[subprocess.CompletedProcess[bytes]]:
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        return Missing(f"{' '.join(command)}: {NO_ANSWER}")
    except (OSError, ValueError) as error:
        return Missing(f"{' '.join(command)}: {error}")


def _text(output: bytes) -> str:
    return output.decode("utf-8", "replace")
