"""`nginx -t` and `nginx -T` in a folder of their own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.proxy import NGINX

TEMPORARY = "".join(f"{kind}_temp_path temp;" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
"""For http: the paths built into Debian's nginx are root's."""


def nginx_says(config: Path, *, dump: bool = False) -> subprocess.CompletedProcess[str]:
    """nginx's verdict about a configuration file; with `dump` the configuration too, on stdout."""
    if NGINX is None:
        if os.environ.get("CI") == "true":
            pytest.fail("nginx is not installed")
        pytest.skip("nginx is not installed")
    command = [NGINX, "-T" if dump else "-t", "-c", str(config), "-p", str(config.parent), "-e", "stderr"]
    return subprocess.run(command, capture_output=True, text=True, errors="surrogateescape", timeout=30, check=False)
