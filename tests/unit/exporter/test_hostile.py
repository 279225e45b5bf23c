"""The exporter among strangers: nobody holds it, nobody writes through it, nothing they send comes out elsewhere."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from gunicorn_autotune.exporter.address import Address, Settings, is_private, parse_address
from gunicorn_autotune.exporter.render import Format, exposition
from gunicorn_autotune.exporter.server import Server
from tests.unit.exporter.boards import a_document, a_small_board
from tests.unit.exporter.fake_exporter import PaperSource
from tests.unit.exporter.running import exporting, fetch, raw

HOSTILE = 'sync"} 1\nevil_metric 666\n# HELP \\ \x1b[31m\r'
"""A label value that wants to end its label, its line and the reader's patience."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """One exporter for all tests that only ask."""
    with exporting() as exporter:
        yield exporter.port


def everything(connection: socket.socket) -> bytes:
    """All that comes until the other side closes; a reset counts as closed."""
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def trickle(connections: list[socket.socket], ended: threading.Event) -> None:
    """One byte of a header that never ends on each connection, again and again; a dropped one comes back at once."""
    while not ended.wait(0.05):
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.send(b"x")


def test_fifty_slow_clients_do_not_keep_a_scrape_from_its_answer(port: int) -> None:
    """Sixteen threads, fifty clients that send a byte now and then: a scrape is answered within its usual time-out."""
    slow = [raw(port, b"GET /metrics HTTP/1.1\r\nX: ") for _ in range(50)]
    ended = threading.Event()
    thread = threading.Thread(target=trickle, args=(slow, ended))
    thread.start()
    try:
        answer = fetch(port)
    finally:
        ended.set()
        thread.join()
        for connection in slow:
            connection.close()

    assert 200 == answer.status


@contextlib.contextmanager
def exporting_through_small_buffers(slots: int) -> Iterator[int]:
    """An exporter in a thread of this process, whose answers do not fit into the kernel's buffer; its port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    ended = threading.Event()
    with Server(listener, PaperSource(slots), Settings(Address()), None, print) as server:
        thread = threading.Thread(target=server.serve_while, args=(lambda: not ended.is_set(),))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended.set()
            thread.join()


def test_fifty_clients_that_take_no_answer_do_not_either() -> None:
    """A scrape that nobody reads must not hold its thread while others wait."""
    with exporting_through_small_buffers(slots=300) as port, contextlib.ExitStack() as stack:
        for _ in range(50):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port))
            client.send(b"GET /metrics HTTP/1.1\r\n\r\n")
        answer = fetch(port, "/-/healthy")

    assert 200 == answer.status


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
    ],
    ids=["request line", "one header", "number of headers", "headers together"],
)
def test_a_head_without_end_is_431_and_closed(head: bytes, port: int) -> None:
    """16 KiB and 100 headers at most."""
    with raw(port, head) as connection:
        assert everything(connection).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_body_is_never_waited_for(method: str, port: int) -> None:
    """Ten gigabytes announced, none sent: 405 at once, and closed."""
    head = f"{method} /metrics HTTP/1.1\r\nContent-Length: 10000000000\r\n\r\nabc".encode()
    with raw(port, head) as connection:
        assert everything(connection).startswith(b"HTTP/1.1 405 ")


def test_one_connection_is_one_request(port: int) -> None:
    """What follows the first head is not read as a second request."""
    with raw(port, b"GET /-/healthy HTTP/1.1\r\n\r\nGET /status.json HTTP/1.1\r\n\r\n") as connection:
        answer = everything(connection)

    assert (1, False) == (answer.count(b"HTTP/1.1 "), b"version" in answer)


REQUESTS = [
    b"GET /\x1b[31m\x07?secret=1 HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    b"EVIL\x1b[2J /metrics HTTP/1.1\r\n\r\n",
    b"GET /metrics HTTP/9.9\x1b[31m\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nAccept: \x1b[31m;version=\xff\r\nAccept-Encoding: \x00\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nAuthorization: Bearer \xff\x1b[31m\r\nX-Forwarded-For: evil\r\n\r\n",
    b"GET /nothing%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
    b"GET\r\n\r\n",
    b"\x00" * 100 + b"\r\n\r\n",
]


def test_nothing_of_a_request_is_logged_or_sent_back() -> None:
    """Escapes, broken requests, a TLS hello, unknown paths and methods: no line, and no control character back."""
    with exporting() as exporter:
        answers = []
        for request in REQUESTS:
            with raw(exporter.port, request) as connection:
                answers.append(everything(connection))
        alive = fetch(exporter.port).status
        lines = list(exporter.lines)

    heads = ["".join(answer.partition(b"\r\n\r\n")[0].decode("latin-1").splitlines()) for answer in answers]
    assert (200, 1, True) == (alive, len(lines), lines[0].startswith("exporter listening"))
    assert [] == [head for head in heads if not head.isprintable()]
    assert [] == [answer for answer in answers if b"x1b" in answer or b"\x1b" in answer or b"Set-Cookie" in answer]


@pytest.mark.parametrize("form", list(Format))
def test_no_label_value_ends_its_label(form: Format) -> None:
    """Worker class and listener address are text of others: the client's own parser reads them back unchanged."""
    document = a_document()
    document["server"]["worker_class"] = HOSTILE
    document["listeners"][0]["address"] = HOSTILE
    text = exposition(document, a_small_board(), form).decode()
    families = list(parse_openmetrics(text) if form is Format.OPENMETRICS else parse_text(text))
    values = [
        value for one in families for sample in one.samples for value in sample.labels.values() if "evil" in value
    ]

    assert ([], {HOSTILE}) == ([one.name for one in families if "evil" in one.name], set(values))


def test_an_address_that_is_not_utf_8_does_not_fail_the_scrape() -> None:
    """A unix path may hold any byte; the status document carries it as a lone surrogate."""
    document = a_document()
    document["listeners"][0]["address"] = b"unix:/run/\xff.sock".decode("utf-8", "surrogateescape")

    assert b'="unix:/run/?.sock"' in exposition(document, a_small_board(), Format.TEXT)


def test_a_worker_state_of_another_version_is_no_label() -> None:
    """Labels come from closed lists: what is not in them has no sample."""
    document = a_document() | {"mode": HOSTILE, "bottleneck": HOSTILE}
    text = exposition(document, replace(a_small_board()), Format.TEXT).decode()

    assert "evil" not in text


@pytest.mark.parametrize(
    ("metrics", "private"),
    [
        ("127.0.0.1:1", True), ("127.1.2.3:1", True), ("[::1]:1", True), ("localhost:1", True), ("unix:/run/m", True),
        (":1", False), ("0.0.0.0:1", False), ("[::]:1", False), ("10.0.0.1:1", False), ("127.evil.example:1", False),
    ],
)  # fmt: skip
def test_loopback_and_unix_are_private(metrics: str, private: bool) -> None:
    """Everything else is reached from outside, as far as anybody can tell."""
    assert private is is_private(parse_address(metrics))


@pytest.mark.parametrize(
    ("metrics", "token", "warned"), [("0.0.0.0:0", "", True), ("0.0.0.0:0", "t", False), ("127.0.0.1:0", "", False)]
)
def test_open_to_the_network_without_a_token_is_told(metrics: str, token: str, warned: bool, tmp_path) -> None:
    """One line, with what to do about it."""
    settings = {}
    if token:
        (tmp_path / "token").write_text(token)
        settings = {"bearer_token_file": str(tmp_path / "token")}
    with exporting(metrics, **settings) as exporter:
        fetch(exporter.port, "/-/healthy")
        line = "exporter: open to the network without a token"
        told = exporter.wait_for_line(line) if warned else exporter.told(line)

    assert warned is bool(told)
