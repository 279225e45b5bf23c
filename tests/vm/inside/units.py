"""A Gunicorn that systemd runs: limits and sandbox as unit properties, the rest as tests/server.py has it."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.server import APPS, SOURCE, Server, free_port, wait_for

CGROUPS = Path("/sys/fs/cgroup")
MIB = 1 << 20
PATIENCE_SECONDS = 120.0
"""For anything at all: an emulated machine on a busy host is slow."""
_numbers = itertools.count(1)


def systemctl(*words: str) -> str:
    """What it prints."""
    return subprocess.run(["systemctl", *words], check=True, capture_output=True, text=True).stdout.strip()


def busy(status: dict[str, Any]) -> bool:
    """Whether some worker has a request."""
    return any(worker["state"] == "busy" for worker in status["workers"])


def missing(document: Any, path: str = "") -> dict[str, str]:
    """Each place of a part of status.json that holds no value, with why; the same place of all workers is one."""
    if isinstance(document, dict):
        if set(document) == {"missing"}:
            return {path: document["missing"]}
        return {where: why for name, part in document.items() for where, why in missing(part, f"{path}.{name}").items()}
    if isinstance(document, list):
        return {where: why for part in document for where, why in missing(part, path).items()}
    return {}


@dataclass
class MainProcess:
    """The part of Popen that `Server` uses, for a process that systemd started."""

    unit: str

    @property
    def pid(self) -> int:
        """0 when it does not run."""
        return int(systemctl("show", "-P", "MainPID", self.unit))

    def poll(self) -> int | None:
        """None while it runs."""
        return None if self.pid else 0

    def send_signal(self, number: int) -> None:
        """To the main process alone."""
        os.kill(self.pid, number)


@dataclass
class Service(Server):
    """A unit with Gunicorn as its main process."""

    @property
    def unit(self) -> str:
        """Its name."""
        return self.process.unit

    @property
    def log(self) -> str:
        """The journal's part."""
        words = ["journalctl", "-q", "-o", "cat", "-u", self.unit]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout

    @property
    def group(self) -> Path:
        """Its cgroup."""
        return CGROUPS / systemctl("show", "-P", "ControlGroup", self.unit).lstrip("/")

    def events(self, name: str, file: str = "memory.events") -> int:
        """A counter of the cgroup."""
        lines = (self.group / file).read_text().splitlines()
        return int(dict(line.split() for line in lines)[name])

    def set(self, *properties: str) -> None:
        """`systemctl set-property`, gone with the unit."""
        systemctl("set-property", "--runtime", self.unit, *properties)

    def wait_for_host(self, name: str, value: Any) -> None:
        """Wait until status.json shows this value of the host."""
        self.wait_for_status(lambda status: status["host"][name] == value, f"{name} {value}", PATIENCE_SECONDS)

    def stop(self) -> int:
        """By systemctl; a unit that failed is forgotten too."""
        for client in self.held:
            client.close()
        subprocess.run(["systemctl", "stop", self.unit], check=False, capture_output=True)
        subprocess.run(["systemctl", "reset-failed", self.unit], check=False, capture_output=True)
        return 0


@contextmanager
def service(
    *properties: str, config: str = "", app: str = "plain:app", env: dict[str, str] | None = None, ours: bool = True,
    **settings: Any,
) -> Iterator[Service]:  # fmt: skip
    """Gunicorn in a unit with these properties; with autotune unless `ours` is off."""
    name = f"tested-{next(_numbers)}"
    unit, folder = f"{name}.service", Path("/srv") / name
    port, metrics_port = write_config(folder, config, {"max_workers": 8} | settings if ours else None)
    start(unit, folder, properties, app, env or {})
    server = Service(MainProcess(unit), folder, port, metrics_port)
    try:
        ready = (lambda: server.status()["ready"]) if ours else (lambda: server.get("/")[0] == 200)
        wait_for(ready, "a ready worker", PATIENCE_SECONDS)
        yield server
    finally:
        server.stop()


def write_config(folder: Path, config: str, settings: dict[str, Any] | None) -> tuple[int, int]:
    """gunicorn.conf.py in a new folder, without autotune where there are no settings; the ports of app and metrics."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.chown(folder, "www-data")
    port, metrics_port = free_port(), free_port()
    lines = [f"bind = '127.0.0.1:{port}'", "graceful_timeout = 5", "control_socket_disable = True", config]
    if settings is not None:
        settings = {"metrics": f"127.0.0.1:{metrics_port}"} | settings
        lines += ["from gunicorn_autotune import install", f"install(globals(), **{settings!r})"]
    (folder / "gunicorn.conf.py").write_text("\n".join(lines) + "\n")
    return port, metrics_port


def start(unit: str, folder: Path, properties: tuple[str, ...], app: str, env: dict[str, str]) -> None:
    """systemd-run waits until Gunicorn says that it is ready."""
    given = ("Type=notify", "NotifyAccess=main", "OOMPolicy=continue", "KillMode=mixed", "User=www-data")
    variables = {"PYTHONPATH": f"{APPS}:{SOURCE}", "PYTHONUNBUFFERED": "1"} | env
    words = ["systemd-run", "--quiet", "--collect", f"--unit={unit}"]
    words += [f"--property={one}" for one in (*given, f"WorkingDirectory={folder}", *properties)]
    words += [f"--setenv={name}={value}" for name, value in variables.items()]
    subprocess.run([*words, sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", app], check=True)
