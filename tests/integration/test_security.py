"""What a stranger can send, and where it must never come out; whom the exporter runs as."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from tests.faults.processes import exporter_pid
from tests.server import Server, serving

pytestmark = pytest.mark.real
NOBODY = 65534
SECRETS = ("/path-of-4711", "key-hunter2", "cookie-hunter2", "agent-hunter2", "stamp-hunter2", "body-hunter2")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def request(server: Server, head: bytes) -> bytes:
    """What the app's socket answers to exactly these bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(head)
        return client.recv(100)


@as_root
def test_the_exporter_runs_as_the_configured_user(tmp_path: Path) -> None:
    """Started as root with user and group set: no id and no group of root is left, and it cannot go back."""
    with serving(tmp_path, f"user = {NOBODY}\ngroup = {NOBODY}") as server:
        text = Path(f"/proc/{exporter_pid(server)}/status").read_text()
    lines = (line.partition(":") for line in text.splitlines())
    found = {name: words.split() for name, _, words in lines if name in ("Uid", "Gid", "Groups", "CapEff", "CapPrm")}

    assert [[str(NOBODY)] * 4] * 2 == [found["Uid"], found["Gid"]]
    assert ([str(NOBODY)], [0, 0]) == (found["Groups"], [int(found[name][0], 16) for name in ("CapEff", "CapPrm")])


def test_the_exporter_listens_on_loopback_alone(tmp_path: Path) -> None:
    """Unless told otherwise nobody outside this host reaches it."""
    with serving(tmp_path) as server:
        listening = [line.split()[1:4] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        addresses = {local for local, _, state in listening if local.endswith(f":{server.metrics_port:04X}")
                     and state == "0A"}  # fmt: skip

    assert {f"0100007F:{server.metrics_port:04X}"} == addresses


@pytest.mark.parametrize("worker_class", ["sync", "gthread", "gevent"])
def test_nothing_of_a_request_is_kept(worker_class: str, tmp_path: Path) -> None:
    """Path, query, headers and body: not in the flight record, /status.json, /metrics or a log line of ours."""
    flight = tmp_path / "f.jsonl"
    path, key, cookie, agent, stamp, body = SECRETS
    head = (
        f'POST {path}/sleep?key={key} HTTP/1.1\r\nHost: {agent}\r\nCookie: {cookie}\r\nUser-Agent: {agent}"}} 1\r\n'
        f"X-Request-Start: t={stamp}\r\nX-Forwarded-For: {agent}\r\nContent-Length: {len(body)}\r\n"
        f"Connection: close\r\n\r\n{body}"
    ).encode()
    with serving(tmp_path, f"worker_class = {worker_class!r}", flight_record=str(flight)) as server:
        answers = {request(server, head).split(b" ")[1] for _ in range(20)}
        server.wait_for_status(lambda status: sum(w["requests"] for w in status["workers"]) >= 20, "20 requests")
        ticks = server.status()["tally"]["ticks"]
        server.wait_for_status(lambda status: status["tally"]["ticks"] > ticks + 8, "more ticks")
        told = [server.exporter(page)[1] for page in ("/status.json", "/metrics")]
    ours = "\n".join(line for line in server.log.splitlines() if "autotune" in line)
    kept = {"flight": flight.read_text(), "status": told[0], "metrics": told[1], "log": ours}

    assert {b"200"} == answers
    assert [] == [(where, secret) for where, text in kept.items() for secret in SECRETS if secret in text]
    assert all(text.isprintable() for text in ours.splitlines())


def test_certificate_and_folder_are_not_told(tmp_path: Path) -> None:
    """Only that TLS is on: no page of the exporter names a key of Gunicorn or its working directory."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "hunter2.key", "-out", "hunter2.crt",
         "-days", "2", "-subj", "/CN=localhost"],
        cwd=tmp_path, capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    app = tmp_path / "folder-4711"
    app.mkdir()
    secrets = f"certfile = '{tmp_path}/hunter2.crt'\nkeyfile = '{tmp_path}/hunter2.key'"
    with serving(tmp_path, f"{secrets}\nchdir = {str(app)!r}") as server:
        pages = [server.exporter(page)[1] for page in ("/status.json", "/metrics")]
        told = server.status()["gunicorn"]["settings"]

    assert [] == [word for page in pages for word in ("hunter2", "folder-4711") if word in page]
    assert told["tls"] is True


@pytest.mark.parametrize(
    "stamp",
    [b"t=1e400", b"t=nan", b"t=-1", b"t=" + b"9" * 4000, b"\x1b[31m", b'"} evil 1', b"t=1\xff", b"\xe2\x80\xa8"],
)
def test_a_hostile_stamp_of_a_trusted_proxy_harms_nobody(stamp: bytes, tmp_path: Path) -> None:
    """X-Request-Start may hold anything: the request is served, and no fault of ours is logged."""
    with serving(tmp_path) as server:
        answer = request(server, b"GET / HTTP/1.1\r\nHost: a\r\nX-Request-Start: " + stamp + b"\r\n\r\n")
        good = server.get()[0]
        log = server.log

    assert (200, True, False) == (good, answer[:12] in (b"HTTP/1.1 200", b"HTTP/1.1 400"), "could not record" in log)


def test_open_to_the_network_is_said_in_the_log(tmp_path: Path) -> None:
    """Without a token, one line of Gunicorn's own log says so, and what to do."""
    with serving(tmp_path, metrics="0.0.0.0:0", ready=False) as server:
        line = server.wait_for_log("autotune: exporter: open to the network without a token .*")

    assert "metrics_bearer_token_file" in line
