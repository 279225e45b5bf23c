"""Which locations lead to Gunicorn: only those are judged beside its settings."""

from __future__ import annotations

import pytest

from gunicorn_autotune.nginx.site.site import Site
from tests.nginx_samples import MAIN, site_from


def site(said: str, servers: str, locations: str) -> Site:
    """A configuration with these upstreams and locations."""
    lines = "".join(f"#: {line}\n" for line in said.splitlines())
    return site_from({MAIN: f"{lines}events {{}} http {{ {servers} server {{ {locations} }} }}"})


def names(found: Site) -> list[str]:
    """Where Gunicorn's routes lead."""
    return [route.upstream.name for route in found.routes]


TWO = """upstream shop { server 127.0.0.1:8000; } upstream chat { server 127.0.0.1:3000; }"""
BOTH = "location / { proxy_pass http://shop; } location /chat/ { proxy_pass http://chat; }"


def test_a_neighbour_behind_the_same_nginx_is_left_alone() -> None:
    """Only the upstream with Gunicorn's address counts."""
    assert names(site('gunicorn.bind = ["127.0.0.1:8000"]', TWO, BOTH)) == ["shop"]


def test_every_route_counts_where_none_leads_to_gunicorn() -> None:
    """And that is known: NGX201 speaks of it."""
    found = site('gunicorn.bind = ["127.0.0.1:9999"]', TWO, BOTH)

    assert names(found) == ["shop", "chat"] and not found.found


def test_every_route_counts_where_gunicorn_is_unknown() -> None:
    """Without its settings nobody can tell them apart."""
    assert names(site("", TWO, BOTH)) == ["shop", "chat"]


@pytest.mark.parametrize(
    ("server", "bind"),
    [
        ("127.0.0.1:8000", "127.0.0.1:8000"),
        ("127.0.0.1:8000", "0.0.0.0:8000"),
        ("[::1]:8000", "[::1]:8000"),
        ("[::1]:8000", "[::]:8000"),
        ("localhost:8000", "127.0.0.1:8000"),
        ("web:8000", "0.0.0.0:8000"),
        ("unix:/run/shop.sock", "unix:/run/shop.sock"),
        ("unix:/var/run/shop.sock", "unix:/run/shop.sock"),
        ("unix:///run/shop.sock", "unix:/run/shop.sock"),
    ],
)
def test_one_address_is_recognised_in_all_its_spellings(server: str, bind: str) -> None:
    """A name nobody here can resolve counts by its port; /var/run is /run."""
    found = site(
        f'gunicorn.bind = ["{bind}"]', f"upstream a {{ server {server}; }}", "location / { proxy_pass http://a; }"
    )

    assert found.found


@pytest.mark.parametrize(
    ("server", "bind"),
    [
        ("127.0.0.1:8001", "127.0.0.1:8000"),
        ("192.0.2.7:8000", "127.0.0.1:8000"),
        ("unix:/run/other.sock", "unix:/run/shop.sock"),
        ("unix:/run/shop.sock", "127.0.0.1:8000"),
    ],
)
def test_another_address_is_not_taken_for_gunicorns(server: str, bind: str) -> None:
    """Port, address and path must agree."""
    found = site(
        f'gunicorn.bind = ["{bind}"]', f"upstream a {{ server {server}; }}", "location / { proxy_pass http://a; }"
    )

    assert not found.found


@pytest.mark.parametrize("target", ["http://$backend", "http://$host:8000", "grpc://shop", "shop"])
def test_a_target_that_nobody_can_tell_is_no_route(target: str) -> None:
    """Variables are known only when a request comes."""
    assert site("", TWO, f"location / {{ proxy_pass {target}; }}").every_route == ()


@pytest.mark.parametrize("target", ["http://unix:/run/a.sock:/app/", "http://unix:/run/a.sock"])
def test_a_socket_in_proxy_pass_is_found_with_and_without_a_path(target: str) -> None:
    """As Gunicorn's and nginx's documentation write it."""
    found = site('gunicorn.bind = ["unix:/run/a.sock"]', "", f"location / {{ proxy_pass {target}; }}")

    assert found.found and found.routes[0].upstream.block is None


@pytest.mark.parametrize(
    "target", ["SHOP", "shop$request_uri", "shop${uri}?x=$arg_x", "shop/a/$1", "shop$is_args$args"]
)
def test_an_upstream_is_found_by_its_name_however_written(target: str) -> None:
    """In capitals, or with a variable behind it that is only the path."""
    found = site("gunicorn.threads = 2", TWO, f"location / {{ proxy_pass http://{target}; }}")

    assert [route.upstream.block is not None for route in found.routes] == [True]


@pytest.mark.parametrize("target", ["$shop", "shop$port", "shop:$port"])
def test_a_target_in_a_variable_is_not_followed(target: str) -> None:
    """Nobody can tell where it leads."""
    assert site("gunicorn.threads = 2", TWO, f"location / {{ proxy_pass http://{target}; }}").every_route == ()
