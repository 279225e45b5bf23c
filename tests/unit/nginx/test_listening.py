"""Where a server listens, and who can get there."""

from __future__ import annotations

import pytest

from gunicorn_autotune.nginx.site.listening import Listener, listeners
from tests.nginx_samples import MAIN, site_from


def heard(server: str) -> list[Listener]:
    """The listeners of a server block with these lines."""
    scope = next(site_from({MAIN: f"events {{}} http {{ server {{ {server} }} }}"}).scopes("server"))
    return listeners(scope.here)


@pytest.mark.parametrize(
    ("line", "address", "port"),
    [
        ("listen 8080;", "", 8080),
        ("listen *:81 default_server;", "", 81),
        ("listen 127.0.0.1;", "127.0.0.1", 80),
        ("listen [::]:80 ipv6only=on;", "::", 80),
        ("listen [::1];", "::1", 80),
        ("listen localhost:82;", "localhost", 82),
        ("listen 8000-8010;", "", None),
        ("", "", 80),
    ],
)
def test_addresses_and_ports(line: str, address: str, port: int | None) -> None:
    """As nginx reads `listen`; 80 on every address without one."""
    assert [(address, port)] == [(one.address, one.port) for one in heard(line)]


@pytest.mark.parametrize("line", ["listen 80;", "listen [::]:80;", "listen 8.8.8.8:80;", ""])
def test_listeners_that_strangers_reach(line: str) -> None:
    """Every address, or one of the internet."""
    assert [True] == [one.public for one in heard(line)]


@pytest.mark.parametrize(
    "line",
    [
        "listen 127.0.0.1:80;",
        "listen [::1]:80;",
        "listen unix:/run/nginx.sock;",
        "listen 10.1.2.3:80;",
        "listen localhost:80;",
        "listen internal.example:80;",
    ],
)
def test_listeners_that_they_do_not(line: str) -> None:
    """Loopback, private networks, sockets; a name may be anything."""
    assert [False] == [one.public for one in heard(line)]


@pytest.mark.parametrize("server", ["listen 443 ssl http2;", "listen 443 quic;", "listen 443; ssl on;"])
def test_listeners_with_tls(server: str) -> None:
    """By parameter, or by the directive that 1.25.1 removed."""
    assert [True] == [one.tls for one in heard(server)]
