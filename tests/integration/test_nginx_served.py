"""Rendered files in force: a real nginx below Debian's nginx.conf, a real Gunicorn behind it."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gunicorn_autotune.nginx.read.timing import times
from gunicorn_autotune.nginx.site.gunicorn import SYNC, THREADED
from gunicorn_autotune.nginx.write.options import Folder
from gunicorn_autotune.nginx.write.render import render
from tests.proxy import installed, running_nginx, self_signed
from tests.rendering import FULL, a_gunicorn, at
from tests.server import GUNICORN, Server, environment, free_port, serving, wait_for

pytestmark = [pytest.mark.real, pytest.mark.once]


@dataclass
class Answer:
    """One answer, its body as sent."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Named(http.client.HTTPSConnection):
    """To this host under the site's name, as a resolver would have it."""

    def connect(self) -> None:
        """TLS with the name in SNI."""
        plain = socket.create_connection(("127.0.0.1", self.port), self.timeout)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)  # type: ignore[attr-defined]


@dataclass
class Site:
    """nginx with a rendered site, and Gunicorn."""

    folder: Path
    server: Server
    port: int
    plain_port: int
    metrics_port: int
    certificate: str

    def connection(self, port: int = 0) -> http.client.HTTPConnection:
        """To nginx; TLS on the site's port where it has a certificate."""
        if self.certificate and not port:
            trusted = ssl.create_default_context(cafile=self.certificate)
            return Named("example.com", self.port, timeout=20, context=trusted)
        return http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=20)

    def get(self, path: str, *, port: int = 0, method: str = "GET", **headers: str) -> Answer:
        """One request; underscores in names of headers are dashes."""
        client = self.connection(port)
        try:
            sent = {"Host": "example.com"} | {name.replace("_", "-"): text for name, text in headers.items()}
            client.request(method, path, headers=sent)
            response = client.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            client.close()

    def told(self, path: str = "/told", **headers: str) -> dict[str, Any]:
        """What reached the app."""
        told: dict[str, Any] = json.loads(self.get(path, **headers).body)
        return told

    @property
    def timing_log(self) -> list[str]:
        """Its lines so far."""
        return (self.folder / "log" / "shop.timing.log").read_text().splitlines()

    @property
    def flag(self) -> Path:
        """The file that says maintenance."""
        return self.folder / "shop" / "maintenance.on"


@contextmanager
def site(folder: Path, *, kind: str = THREADED, tls: bool = False, unix: bool = True, **options: Any) -> Iterator[Site]:
    """A Gunicorn of this kind, its nginx rendered for it and started."""
    port, plain, metrics = free_port(), free_port(), free_port()
    certificate, key = self_signed(folder) if tls else ("", "")
    config = "keepalive = 10\n" + ('worker_class = "gthread"\nthreads = 4\n' if kind == THREADED else "")
    public, static = folder / "public", folder / "public" / "static"
    (public / "static_private").mkdir(parents=True)
    static.mkdir()
    (static / "site.css").write_text("body { color: black }\n" * 100)
    (public / "static_private" / "key").write_text("secret")
    with ExitStack() as stack:
        server = stack.enter_context(serving(folder, config, app="behind_nginx:app", unix=unix, max_workers=2))
        bind = f"unix:{server.unix_path}" if unix else f"127.0.0.1:{server.port}"
        own = at(
            folder,
            FULL,
            listen=(f"127.0.0.1:{port}",),
            plain=(f"127.0.0.1:{plain}",),
            metrics_listen=f"127.0.0.1:{metrics}",
            exporter=f"http://127.0.0.1:{server.metrics_port}",
            static=(Folder("/static/", f"{static}/"),),
            certificate=certificate,
            key=key,
            **options,
        )
        installed(folder, render(a_gunicorn(kind, max_workers=2, bind=[bind]), own))
        stack.enter_context(running_nginx(folder))
        found = Site(folder, server, port, plain, metrics, certificate)
        wait_for(lambda: found.get("/told").status == 200, "the app through nginx")
        yield found


@pytest.mark.parametrize("unix", [True, False], ids=["unix", "tcp"])
@pytest.mark.parametrize("kind", [SYNC, THREADED])
def test_a_request_reaches_the_app_with_what_nginx_knows(kind: str, unix: bool, tmp_path: Path) -> None:
    """Host, client, scheme and an id of its own; connections are kept where that gains something."""
    with site(tmp_path, kind=kind, unix=unix) as shop:
        told = shop.told()

    assert len(told.pop("HTTP_X_REQUEST_ID")) == 32
    assert told | {"REMOTE_ADDR": "", "REMOTE_PORT": ""} == {
        "wsgi.url_scheme": "http",
        "REMOTE_ADDR": "",
        "REMOTE_PORT": "",
        "HTTP_HOST": f"example.com:{shop.port}",
        "HTTP_X_REAL_IP": "127.0.0.1",
        "HTTP_X_FORWARDED_FOR": "127.0.0.1",
        "HTTP_X_FORWARDED_PROTO": "http",
        "HTTP_X_FORWARDED_HOST": None,
        "HTTP_X_FORWARDED_SSL": None,
        "HTTP_CONNECTION": "close" if kind == SYNC else None,
        "SERVER_PROTOCOL": "HTTP/1.1",
    }


@pytest.mark.parametrize(("kind", "kept"), [(THREADED, True), (SYNC, False)])
def test_connections_are_kept_where_that_gains_something(kind: str, kept: bool, tmp_path: Path) -> None:
    """One after the other, 30 requests take a few connections to gthread, and one each to sync."""
    with site(tmp_path, kind=kind, unix=False, rate=0) as shop:
        ports = {shop.told()["REMOTE_PORT"] for _ in range(30)}

    assert (len(ports) < 15) == kept


def test_what_a_client_claims_does_not_reach_the_app(tmp_path: Path) -> None:
    """Forged headers are blanked or overwritten; of X-Forwarded-For the last entry is nginx's."""
    forged = {
        "X_Real_IP": "6.6.6.6", "X_Forwarded_For": "6.6.6.6", "X_Forwarded_Proto": "https", "X_Forwarded_Ssl": "on",
        "X_Forwarded_Host": "evil.example", "X_Request_ID": "forged",
    }  # fmt: skip
    with site(tmp_path) as shop:
        told = shop.told(**forged)

    assert told["HTTP_X_REQUEST_ID"] != "forged"
    names = ("HTTP_X_REAL_IP", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST")
    assert [told[name] for name in names] == ["127.0.0.1", "6.6.6.6, 127.0.0.1", "http", None]


def test_static_files_come_from_disk(tmp_path: Path) -> None:
    """Compressed, cacheable, and while Gunicorn is away."""
    with site(tmp_path) as shop:
        shop.server.stop()
        answer = shop.get("/static/site.css", Accept_Encoding="gzip")

    assert (answer.status, answer.headers["Cache-Control"]) == (200, "max-age=86400")
    assert (answer.headers["Content-Type"], answer.headers["X-Content-Type-Options"]) == ("text/css", "nosniff")
    assert gzip.decompress(answer.body).startswith(b"body {")


@pytest.mark.parametrize(
    "path", ["/static../static_private/key", "/static/../static_private/key", "/static_private/key"]
)
def test_files_next_door_are_not_served(path: str, tmp_path: Path) -> None:
    """Neither a sibling folder nor a parent: the app answers, or nobody."""
    with site(tmp_path) as shop:
        answer = shop.get(path)

    assert b"secret" not in answer.body


def test_json_is_compressed(tmp_path: Path) -> None:
    """gzip for a client that takes it, with Vary; as it is for one that does not."""
    with site(tmp_path) as shop:
        packed, plain = shop.get("/json", Accept_Encoding="gzip"), shop.get("/json")

    assert (packed.headers["Content-Encoding"], packed.headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert gzip.decompress(packed.body) == plain.body


def test_the_timing_log_tells_where_time_went(tmp_path: Path) -> None:
    """A request of 0.3 s is one of 0.3 s in Gunicorn, and its id is the one that the app saw."""
    with site(tmp_path) as shop:
        began = time.monotonic()
        told = shop.told("/slow")
        took = time.monotonic() - began
        line = wait_for(lambda: next((one for one in shop.timing_log if "/slow" in one), ""), "the line")

    found = times(line)
    assert f" id={told['HTTP_X_REQUEST_ID']} " in line
    assert (found["status"], set(found)) == (200, {"rt", "uct", "uht", "urt", "status"})
    # Two clocks of nginx, in whole milliseconds: either may be one ahead of the other.
    assert all(0.29 <= found[name] <= took + 0.01 for name in ("rt", "uht", "urt"))


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_page_is_shown_when_gunicorn_is_down(method: str, tmp_path: Path) -> None:
    """502 with our page, for a form that was sent too."""
    with site(tmp_path) as shop:
        shop.server.stop()
        answer = shop.get("/told", method=method)

    assert (answer.status, b"Back in a moment" in answer.body) == (502, True)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_maintenance_goes_on_and_off_at_once(method: str, tmp_path: Path) -> None:
    """A flag file, no reload; 503 that says when to come back, and static files are served on."""
    with site(tmp_path, tls=True) as shop:
        shop.flag.touch()
        answers = [shop.get("/told", method=method) for _ in range(20)]
        style = shop.get("/static/site.css").status
        shop.flag.unlink()
        after = {shop.get("/told", method=method).status for _ in range(20)}

    found = {(one.status, one.headers["Retry-After"], b"Maintenance" in one.body) for one in answers}
    assert (found, style, after) == ({(503, "30", True)}, 200, {200})
    assert answers[0].headers["Strict-Transport-Security"] == "max-age=63072000"


def test_one_client_is_limited(tmp_path: Path) -> None:
    """Rate 1: the first and a burst of two more, then 429 with our page."""
    with site(tmp_path, rate=1) as shop, ThreadPoolExecutor(12) as clients:
        began = time.monotonic()
        answers = list(clients.map(lambda _: shop.get("/told"), range(12)))
        took = time.monotonic() - began

    refused = [one.body for one in answers if one.status == 429]
    assert {one.status for one in answers} == {200, 429}
    assert len(answers) - len(refused) <= 3 + took  # one more each second that it lasts
    assert all(b"One moment, please" in body for body in refused)


def test_tls_is_modern_and_said_to_browsers(tmp_path: Path) -> None:
    """The app knows https; TLS 1.1 is refused though Debian's nginx.conf allows it."""
    with site(tmp_path, tls=True) as shop:
        answer = shop.get("/told")
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        client = Named("example.com", shop.port, timeout=5, context=old)
        with pytest.raises(ssl.SSLError):
            client.connect()

    assert json.loads(answer.body)["wsgi.url_scheme"] == "https"
    assert answer.headers.get_all("Strict-Transport-Security") == ["max-age=63072000"]


def test_http2_is_offered(tmp_path: Path) -> None:
    """A browser that speaks it gets it."""
    with site(tmp_path, tls=True) as shop:
        trusted = ssl.create_default_context(cafile=shop.certificate)
        trusted.set_alpn_protocols(["h2", "http/1.1"])
        client = Named("example.com", shop.port, timeout=5, context=trusted)
        client.connect()
        chosen = client.sock.selected_alpn_protocol()
        client.close()

    assert chosen == "h2"


def test_plain_http_is_redirected(tmp_path: Path) -> None:
    """301 to the same page, query and all."""
    with site(tmp_path, tls=True) as shop:
        answer = shop.get("/told?a=1", port=shop.plain_port)

    assert (answer.status, answer.headers["Location"]) == (301, f"https://example.com:{shop.port}/told?a=1")


def test_another_host_gets_no_answer(tmp_path: Path) -> None:
    """The connection is closed without a word; 444."""
    with site(tmp_path) as shop, pytest.raises(http.client.RemoteDisconnected):
        shop.get("/told", Host="evil.example")


def test_the_settings_of_a_running_server_are_rendered(tmp_path: Path) -> None:
    """--server: its socket, its timeouts, and the most requests there may ever be, not today's."""
    config = 'worker_class = "gthread"\nthreads = 3\ngraceful_timeout = 7\nbacklog = 100\n'
    words = [GUNICORN, "-m", "gunicorn_autotune", "nginx", "render", "--name", "shop", "--nginx-version", "1.22.1"]
    with serving(tmp_path, config, unix=True, max_workers=5) as server:
        place = ["--server", f"127.0.0.1:{server.metrics_port}", "--out", "out", "--rate", "20"]
        ended = subprocess.run([*words, *place], capture_output=True, text=True, env=environment({}), cwd=tmp_path)

    assert ended.returncode == 0, ended.stderr
    found = {name: (tmp_path / "out" / name).read_text() for name in SPOKEN}
    assert {name: re.search(SPOKEN[name], text) is not None for name, text in found.items()} == dict.fromkeys(
        SPOKEN, True
    )
    assert f"server unix:{server.unix_path} " in found["conf.d/shop-http.conf"]


SPOKEN = {
    "conf.d/shop-http.conf": "upstream shop_gunicorn",
    "shop/limits.conf": "shop_all 115;",
    "shop/tuning.conf": "proxy_read_timeout +7s;",
}


def test_a_connection_of_ours_does_not_reach_another_host(tmp_path: Path) -> None:
    """TLS under our name, then a request for another one: 421, and the connection lives."""
    with site(tmp_path, tls=True) as shop:
        client = shop.connection()
        statuses = []
        for host in ("evil.example", "example.com"):
            client.request("GET", "/told", headers={"Host": host})
            response = client.getresponse()
            statuses.append((response.status, bool(response.read())))
        client.close()

    assert statuses == [(421, True), (200, True)]


def test_a_stranger_sees_no_certificate(tmp_path: Path) -> None:
    """Another name in SNI, or none: the handshake ends."""
    with site(tmp_path, tls=True) as shop, pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        Named("evil.example", shop.port, timeout=5, context=ssl._create_unverified_context()).connect()


def test_queue_time_arrives_at_the_metrics(tmp_path: Path) -> None:
    """Requests that wait behind others on busy workers show how long."""
    with site(tmp_path, kind=SYNC) as shop:
        with ThreadPoolExecutor(12) as clients:
            statuses = set(clients.map(lambda _: shop.get("/slow").status, range(12)))
        late = wait_for(lambda: _waits(shop, "+Inf") - _waits(shop, "0.1"), "a late request")

    assert (statuses, late >= 1) == ({200}, True)


def _waits(shop: Site, bound: str) -> float:
    return shop.server.metric(f'gunicorn_request_queue_seconds_bucket{{le="{bound}"}}')


def test_a_stream_is_not_held_back(tmp_path: Path) -> None:
    """The first event arrives while the app still waits to send the second."""
    with site(tmp_path) as shop:
        client = shop.connection()
        begun = time.monotonic()
        client.request("GET", "/events/", headers={"Host": "example.com", "Accept-Encoding": "gzip"})
        first = client.getresponse().readline()
        waited = time.monotonic() - begun
        client.close()

    assert (first, waited < 7) == (b"data: first\n", True)


def test_metrics_are_for_this_host(tmp_path: Path) -> None:
    """nginx's own and autotune's on a loopback port; nothing of them on the site."""
    with site(tmp_path) as shop:
        own = shop.get("/nginx_status", port=shop.metrics_port)
        autotune = shop.get("/autotune/metrics", port=shop.metrics_port)
        other = shop.get("/", port=shop.metrics_port)
        public = json.loads(shop.get("/nginx_status").body)

    assert (own.body.startswith(b"Active connections"), b"gunicorn_workers" in autotune.body) == (True, True)
    assert (other.status, "HTTP_HOST" in public) == (404, True)


def test_metrics_refuse_who_is_not_let_in(tmp_path: Path) -> None:
    """`deny all` is in force: an address that is not named gets 403, for both pages."""
    with site(tmp_path, metrics_allow=("192.0.2.1",)) as shop:
        statuses = [shop.get(path, port=shop.metrics_port).status for path in ("/nginx_status", "/autotune/metrics")]

    assert statuses == [403, 403]
