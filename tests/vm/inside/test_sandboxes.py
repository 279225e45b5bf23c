"""Sandboxes that take something from the sensors: what cannot be read is unknown, with its reason, and is told once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.vm.inside.units import PATIENCE_SECONDS, missing, service

COMMAND = Path(sys.executable).with_name("gunicorn-autotune")
AS_ROOT = ("User=root", "CapabilityBoundingSet=CAP_SETUID CAP_SETGID CAP_CHOWN CAP_KILL CAP_DAC_OVERRIDE")


@pytest.mark.parametrize(
    ("properties", "config", "place", "cure"),
    [
        (["ProcSubset=pid"], "", ".host.memory_limit_bytes", "meminfo"),
        (["RestrictAddressFamilies=AF_UNIX AF_INET"], "bind = [bind, 'unix:g.sock']", ".listeners.backlog", "NETLINK"),
        (AS_ROOT, "user = group = 'www-data'", ".workers.uss_bytes", "CAP_SYS_PTRACE"),
    ],
    ids=["ProcSubset=pid", "without AF_NETLINK", "without CAP_SYS_PTRACE"],
)
def test_what_a_sandbox_hides_is_unknown_with_the_reason(
    properties: tuple[str, ...], config: str, place: str, cure: str
) -> None:
    """In status.json, and in one line of the log."""
    with service(*properties, config=f"workers = 2\n{config}", max_workers=2) as server:
        server.wait_for_log(f"readings are unavailable.*{cure}", seconds=PATIENCE_SECONDS)
        why = missing(server.status())[place]
        answer, _ = server.get("/")

    assert (200, True) == (answer, cure in why)


def test_a_private_tmp_is_named_where_it_hides_the_command_socket() -> None:
    """`recycle` from outside cannot reach it, and says which line of the unit is why."""
    with service("PrivateTmp=yes", "Environment=HOME=/nonexistent", config="workers = 2", max_workers=2) as server:
        server.wait_for_ready(2, PATIENCE_SECONDS)
        words = [str(COMMAND), "recycle", "--all", "--server", f"127.0.0.1:{server.metrics_port}"]
        told = subprocess.run(words, capture_output=True, text=True, check=False)

    assert (2, True) == (told.returncode, "PrivateTmp" in told.stdout + told.stderr), told
