"""Whether connections to Gunicorn are kept, as measured by version (docs/nginx.md)."""

from __future__ import annotations

import pytest

from gunicorn_autotune.nginx.read.parse import parse
from gunicorn_autotune.nginx.site.keepalive import Kept, kept
from gunicorn_autotune.nginx.site.routes import routes
from tests.nginx_samples import MAIN
from tests.nginx_words import Texts

HEADERS = 'proxy_http_version 1.1; proxy_set_header Connection "";'
UPGRADE = "map $http_upgrade $connection_upgrade {{ default upgrade; '' {plain}; }}"


def of(upstream: str, location: str, version: str = "1.22.1", http: str = "") -> Kept:
    """What is kept for one location."""
    text = f"""events {{}} http {{ {http} upstream shop {{ server 127.0.0.1:8000; {upstream} }}
        server {{ location / {{ proxy_pass http://shop; {location} }} }} }}"""
    return kept(next(iter(routes(parse(Texts({MAIN: text}), MAIN), version))))


def test_old_nginx_keeps_nothing_unless_asked() -> None:
    """Up to 1.29.6 an upstream without a keepalive line closes each connection."""
    assert not of("", HEADERS, "1.29.6").in_force


def test_new_nginx_keeps_connections_unasked() -> None:
    """From 1.29.7 on an explicit upstream keeps 32, without any header."""
    assert of("", "", "1.29.7").in_force
    assert of("", "", "1.29.7").connections == 32


def test_keepalive_0_turns_the_new_default_off() -> None:
    """The only way to."""
    assert not of("keepalive 0;", "", "1.30.0").in_force


@pytest.mark.parametrize(
    "location", ["", "proxy_http_version 1.1;", 'proxy_set_header Connection "";'], ids=["neither", "1.1", "header"]
)
def test_old_nginx_needs_both_http_11_and_an_empty_header(location: str) -> None:
    """Measured: with 1.1 alone 61 of 61 connections were closed."""
    answer = of("keepalive 32;", location)

    assert not answer.in_force and answer.why_not


def test_with_both_it_is_in_force() -> None:
    """What every guide writes."""
    assert of("keepalive 32;", HEADERS).in_force


def test_a_balancing_method_after_keepalive_takes_its_place() -> None:
    """Up to 1.29.6; accepted in any order from 1.29.7 on."""
    assert not of("keepalive 8; least_conn;", HEADERS, "1.28.0").in_force
    assert of("keepalive 8; least_conn;", HEADERS, "1.30.0").in_force
    assert of("least_conn; keepalive 8;", HEADERS, "1.28.0").in_force


@pytest.mark.parametrize(("plain", "expected"), [("close", False), ("''", True)])
def test_a_mapped_connection_header_counts_as_an_ordinary_request_gets_it(plain: str, expected: bool) -> None:
    """The websocket idiom closes each ordinary connection unless its map says otherwise."""
    location = "proxy_http_version 1.1; proxy_set_header Connection $connection_upgrade;"

    assert of("keepalive 32;", location, http=UPGRADE.format(plain=plain)).in_force is expected


def test_an_address_in_proxy_pass_is_never_kept() -> None:
    """Not even by 1.30: there is no upstream to keep connections for."""
    text = f"events {{}} http {{ server {{ location / {{ proxy_pass http://unix:/run/a.sock:/; {HEADERS} }} }} }}"
    route = next(iter(routes(parse(Texts({MAIN: text}), MAIN), "1.30.4")))

    assert not kept(route).in_force
    assert route.upstream.peers[0].path == "/run/a.sock"
