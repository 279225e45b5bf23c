"""Gunicorn's `bind`, and which of nginx's servers lead there."""

from __future__ import annotations

import pytest

from gunicorn_autotune.nginx.read.parse import parse
from gunicorn_autotune.nginx.site.gunicorn import Bind, bind_of
from gunicorn_autotune.nginx.site.host import HostFacts
from gunicorn_autotune.nginx.site.routes import upstreams
from gunicorn_autotune.nginx.site.site import same
from tests.nginx_samples import MAIN
from tests.nginx_words import Texts


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("127.0.0.1:8000", Bind("127.0.0.1", 8000)),
        ("LOCALHOST:80", Bind("localhost", 80)),
        ("127.0.0.1", Bind("127.0.0.1", 8000)),
        (":9000", Bind("0.0.0.0", 9000)),
        ("tcp://10.0.0.5:80", Bind("10.0.0.5", 80)),
        ("[::1]:8000", Bind("::1", 8000)),
        ("[::]", Bind("::", 8000)),
        ("unix:/run/shop.sock", Bind("", 0, "/run/shop.sock")),
        ("unix:///run/shop.sock", Bind("", 0, "/run/shop.sock")),
        ("unix:shop.sock", Bind("", 0, "/srv/shop/shop.sock")),
        ("unix:./shop.sock", Bind("", 0, "/srv/shop/shop.sock")),
        ("fd://3", None),
    ],
)
def test_bind_is_read_as_gunicorn_reads_it(written: str, read: Bind | None) -> None:
    """Ports, brackets, prefixes and relative sockets as in gunicorn.util.parse_address."""
    assert read == bind_of(written, "/srv/shop")


@pytest.mark.parametrize(
    ("server", "bind", "leads"),
    [
        ("127.0.0.1:8000", "0.0.0.0:8000", True),
        ("127.0.0.1:8000", "[::]:8000", True),
        ("[::1]:8000", "0.0.0.0:8000", False),
        ("[::1]:8000", "[::1]:8000", True),
        ("localhost:8000", "127.0.0.1:8000", True),
        ("127.0.0.1:8000", "localhost:8000", True),
        ("10.0.0.5:8000", "127.0.0.1:8000", False),
        ("10.0.0.6:8000", "0.0.0.0:8000", False),
        ("web:8000", "0.0.0.0:8000", True),
        ("unix:/var/run/shop.sock", "unix:/run/shop.sock", True),
        ("127.0.0.1", "127.0.0.1:80", True),
    ],
)
def test_a_server_leads_to_gunicorn_where_it_listens(server: str, bind: str, leads: bool) -> None:
    """By address and port, whatever the spelling; 0.0.0.0 hears no IPv6."""
    root = parse(Texts({MAIN: f"http {{ upstream shop {{ server {server}; }} }}"}), MAIN)
    read = bind_of(bind)
    assert read is not None

    peer = upstreams(root)["shop"].peers[0]

    assert leads == same(peer, read, HostFacts(own_addresses=("127.0.0.1", "::1", "10.0.0.5")))
