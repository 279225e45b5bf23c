"""Who may read the figures: bearer token and TLS."""

from __future__ import annotations

import http.client
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.unit.exporter.running import exporting, fetch

pytestmark = pytest.mark.real


def bearer(token: str) -> dict[str, str]:
    """The header of a scrape that knows the token."""
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """Its first line counts."""
    path = tmp_path / "token"
    path.write_text("secret-1\nsecond line\n")
    return path


def test_bearer_token_guards_the_figures_but_not_the_probes(token_file: Path):
    """Without the token 401 with a challenge; an orchestrator's probes carry none."""
    with exporting(bearer_token_file=str(token_file)) as exporter:
        refused = fetch(exporter.port, "/status.json")
        assert (refused.status, refused.headers["www-authenticate"].startswith("Bearer")) == (401, True)
        assert fetch(exporter.port, headers=bearer("secret-2")).status == 401
        assert fetch(exporter.port, headers={"Authorization": "Basic secret-1"}).status == 401
        assert fetch(exporter.port, headers=bearer("secret-1")).status == 200
        assert [fetch(exporter.port, path).status for path in ("/-/healthy", "/-/ready")] == [200, 200]


def test_changed_bearer_token_counts_at_once(token_file: Path):
    """A secret is rotated without a restart."""
    with exporting(bearer_token_file=str(token_file)) as exporter:
        assert fetch(exporter.port, headers=bearer("secret-1")).status == 200
        token_file.write_text("secret-number-two\n")
        assert fetch(exporter.port, headers=bearer("secret-1")).status == 401
        assert fetch(exporter.port, headers=bearer("secret-number-two")).status == 200


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_token_file_that_holds_no_token_lets_nobody_in(token_file: Path, content: str | None):
    """A missing or empty secret closes the door and says so."""
    if content is None:
        token_file.unlink()
    else:
        token_file.write_text(content)
    with exporting(bearer_token_file=str(token_file)) as exporter:
        assert fetch(exporter.port, headers=bearer("")).status == 503
        exporter.wait_for_line("exporter: cannot read bearer token")


def make_certificate(folder: Path, name: str) -> dict[str, str]:
    """A self-signed pair in `folder`, as settings."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={name}",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    return {"cert_file": str(cert), "key_file": str(key)}


def trusting(files: dict[str, str]) -> ssl.SSLContext:
    """A client that trusts exactly this certificate, as it is now."""
    return ssl.create_default_context(cafile=files["cert_file"])


def test_tls_serves_and_survives_clients_that_speak_none(tmp_path: Path):
    """HTTPS with the operator's files; a plain-text client gets nothing and harms nobody."""
    files = make_certificate(tmp_path, "first")
    with exporting(**files) as exporter:
        assert f"https://127.0.0.1:{exporter.port}/metrics" in exporter.lines[0]
        with pytest.raises((OSError, http.client.HTTPException)):
            fetch(exporter.port)
        assert fetch(exporter.port, tls=trusting(files)).status == 200


def test_renewed_certificate_is_used_for_the_next_connection(tmp_path: Path):
    """No restart after a renewal."""
    files = make_certificate(tmp_path, "first")
    with exporting(**files) as exporter:
        assert fetch(exporter.port, tls=trusting(files)).status == 200
        make_certificate(tmp_path, "second")
        assert fetch(exporter.port, tls=trusting(files)).status == 200


def test_missing_certificate_is_told_and_waited_for(tmp_path: Path):
    """The exporter starts listening once the certificate is there."""
    wanted = {"cert_file": str(tmp_path / "cert.pem"), "key_file": str(tmp_path / "key.pem")}
    with exporting(retry_seconds=0.2, **wanted) as exporter:
        assert "No such file" in exporter.wait_for_line("exporter: cannot listen")
        make_certificate(tmp_path, "late")
        assert fetch(exporter.port, tls=trusting(wanted)).status == 200


def _half_renewed(folder: Path) -> None:
    make_certificate(folder, "other")
    shutil.copy(folder / "cert.pem", folder / "half.pem")
    make_certificate(folder, "third")
    (folder / "half.pem").rename(folder / "cert.pem")


@pytest.mark.parametrize(
    "disturb",
    [
        lambda folder: (folder / "key.pem").unlink(),
        lambda folder: (folder / "cert.pem").unlink(),
        lambda folder: (folder / "key.pem").write_text("half a k"),
        _half_renewed,
    ],
    ids=["no key", "no certificate", "half a key", "key of another"],
)
def test_a_renewal_under_way_leaves_the_old_certificate_in_force_and_is_told(tmp_path: Path, disturb):
    """Scrapes go on while files are missing or do not go together, one line says so, and then the new one counts."""
    files = make_certificate(tmp_path, "first")
    old = trusting(files)
    with exporting(**files) as exporter:
        assert fetch(exporter.port, tls=old).status == 200
        disturb(tmp_path)
        during = [fetch(exporter.port, tls=old).status for _ in range(3)]
        exporter.wait_for_line("exporter: certificate or key cannot be read, the old one stays in force")
        make_certificate(tmp_path, "renewed")
        after = fetch(exporter.port, tls=trusting(files)).status

    assert (during, after) == ([200] * 3, 200)
    assert sum("stays in force" in line for line in exporter.lines) == 1
