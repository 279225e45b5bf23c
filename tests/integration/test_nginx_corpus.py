"""The corpus is what it says: configurations that a real nginx accepts."""

from __future__ import annotations

import getpass
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.nginx_corpus import NAMES, laid_out
from tests.nginx_tested import TEMPORARY, nginx_says

pytestmark = pytest.mark.real

HOSTS = {"web:8000": "127.0.0.1:8000", "kube-dns.kube-system.svc.cluster.local": "127.0.0.1"}
"""Names that resolve where the configuration is at home."""
PORTS = {"80": "18080", "443": "18443"}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with certificate.pem, key.pem and dhparam.pem."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("keys")
    for command in (
        "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out certificate.pem -days 2 -subj /CN=example.com",
        "genpkey -genparam -algorithm DH -pkeyopt group:ffdhe2048 -out dhparam.pem",
    ):
        subprocess.run([openssl, *command.split()], cwd=folder, capture_output=True, timeout=60, check=True)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_nginx_accepts_the_corpus(name: str, tmp_path: Path, keys: Path) -> None:
    """With certificates, logs, ports, user and host names of this host in their places."""
    config = laid_out(name, tmp_path)
    for path in (tmp_path / "etc").rglob("*"):
        if path.is_file():
            path.write_text(at_home(path.read_text(), keys))

    said = nginx_says(config)

    assert 0 == said.returncode, said.stderr


def at_home(text: str, keys: Path) -> str:
    """A configuration as this host can test it."""
    places = {
        "ssl_certificate": f"{keys}/certificate.pem", "ssl_trusted_certificate": f"{keys}/certificate.pem",
        "ssl_certificate_key": f"{keys}/key.pem", "ssl_dhparam": f"{keys}/dhparam.pem", "user": getpass.getuser(),
        "pid": "nginx.pid",
    }  # fmt: skip
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
