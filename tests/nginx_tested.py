"""`nginx -t` and `nginx -T` in a folder of their own, and configurations made fit for this host."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.proxy import installed_nginx

TEMPORARY = "".join(f"{kind}_temp_path temp;" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
"""For http: the paths built into Debian's nginx are root's."""


def nginx_says(config: Path, *, dump: bool = False) -> subprocess.CompletedProcess[str]:
    """nginx's verdict about a configuration file; with `dump` the configuration too, on stdout."""
    command = [installed_nginx(), "-T" if dump else "-t", "-c", str(config), "-p", str(config.parent), "-e", "stderr"]
    return subprocess.run(command, capture_output=True, text=True, errors="surrogateescape", timeout=30, check=False)


HOSTS = {"web:8000": "127.0.0.1:8000", "kube-dns.kube-system.svc.cluster.local": "127.0.0.1"}
"""Names that resolve where the configuration is at home."""
PORTS = {"80": "18080", "443": "18443"}


def self_made_keys(folder: Path) -> Path:
    """`folder` with certificate.pem, key.pem and dhparam.pem in it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        if os.environ.get("CI") == "true":
            pytest.fail("openssl is not installed")
        pytest.skip("openssl is not installed")
    for command in (
        "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out certificate.pem -days 2 -subj /CN=example.com",
        "genpkey -genparam -algorithm DH -pkeyopt group:ffdhe2048 -out dhparam.pem",
    ):
        subprocess.run([openssl, *command.split()], cwd=folder, capture_output=True, timeout=60, check=True)
    return folder


def at_home(text: str, keys: Path) -> str:
    """A configuration as this host can test it."""
    places = {
        "ssl_certificate": f"{keys}/certificate.pem",
        "ssl_trusted_certificate": f"{keys}/certificate.pem",
        "ssl_certificate_key": f"{keys}/key.pem",
        "ssl_dhparam": f"{keys}/dhparam.pem",
        "user": getpass.getuser(),
        "pid": "nginx.pid",
    }
    for name, place in places.items():
        text = re.sub(rf"^(\s*{name}\s+)[^;]+;", rf"\g<1>{place};", text, flags=re.MULTILINE)
    text = re.sub(r"^(\s*(?:access_log|error_log)\s+)/[^\s;]+", r"\g<1>log", text, flags=re.MULTILINE)
    text = re.sub(r"\w+_temp_path\s[^;]*;", "", text)
    text = re.sub(r"(\w+_cache_path\s+)/\S+", r"\1cache", text)
    text = re.sub(r"(listen\s+(?:\[::\]:)?)(80|443)\b", lambda match: match[1] + PORTS[match[2]], text)
    log = "" if "access_log log" in text else "access_log log; "
    text = re.sub(r"^http {", "http { " + log + TEMPORARY, text, flags=re.MULTILINE)
    if not re.search(r"^pid ", text, flags=re.MULTILINE):
        text = re.sub(r"^events", "pid nginx.pid; events", text, flags=re.MULTILINE)
    for name, address in HOSTS.items():
        text = text.replace(name, address)
    return text
