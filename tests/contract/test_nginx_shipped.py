"""The nginx files that the repository ships: fresh, complete, accepted by nginx, and without a finding of `check`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.proxy import installed, nginx_test, self_signed
from tests.server import free_port

from gunicorn_autotune.nginx.shipped import CASES, shipped

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "nginx"


def test_the_shipped_files_are_fresh() -> None:
    """`make docs` was run after the last change of the renderer, and nothing else lies there."""
    found = {str(path.relative_to(FOLDER)): path.read_text() for path in FOLDER.rglob("*") if path.is_file()}

    assert found == shipped()


def below(folder: Path, case: str) -> dict[str, str]:
    """A shipped folder with this host's paths and ports."""
    certificate, key = self_signed(folder)
    plain, site, metrics = free_port(), free_port(), free_port()
    ports = {"80": plain, "443": site, "127.0.0.1:8081": f"127.0.0.1:{metrics}"}

    def port(match: re.Match[str]) -> str:
        return match[1] + (match[2] or "") + str(ports[match[3]])

    paths = {
        "/etc/ssl/certs/app.pem": certificate, "/etc/ssl/private/app.key": key, "/etc/nginx": str(folder),
        "/var/log/nginx": f"{folder}/log",
    }  # fmt: skip
    files = {}
    for name, text in shipped().items():
        if name.startswith(f"{case}/"):
            text = re.sub(r"(listen +)(\[::\]:)?(80|443|127\.0\.0\.1:8081)\b", port, text)
            for old, new in paths.items():
                text = text.replace(old, new)
            files[name.removeprefix(f"{case}/")] = text
    return files


@pytest.mark.real
@pytest.mark.parametrize("case", CASES)
def test_nginx_accepts_a_shipped_folder_without_a_warning(case: str, tmp_path: Path) -> None:
    """Below Debian 12's own nginx.conf."""
    code, words = nginx_test(installed(tmp_path, below(tmp_path, case)))

    assert (code, [line for line in words.splitlines() if not re.search("syntax is ok|is successful", line)]) == (0, [])
