import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gunicorn_autotune.cli.nginx_names import host_names, own_addresses, resolve, resolved, socket_paths, targets
from tests.unit.cli.trees import a_config, a_directive

CONFIG = a_config(
    a_directive(
        "http",
        a_directive(
            "upstream app",
            a_directive("zone app 64k"),
            a_directive("server unix:/run/x.sock fail_timeout=0"),
            a_directive("server backend.example:8000 weight=5"),
            a_directive("server [::1]:8001"),
        ),
        a_directive("upstream", a_directive("server")),
        a_directive(
            "server",
            a_directive("listen 80"),
            a_directive("location /", a_directive("proxy_pass http://app")),
            a_directive("location /a", a_directive("proxy_pass http://app/prefix/")),
            a_directive("location /b", a_directive("proxy_pass https://localhost/b")),
            a_directive("location /c", a_directive("proxy_pass http://$host:80")),
            a_directive("location /d", a_directive("proxy_pass http://unix:/run/y.sock:/uri/")),
            a_directive("location /e", a_directive("proxy_pass http://127.0.0.1:8000")),
            a_directive("location /f", a_directive("proxy_pass")),
        ),
    )
)


def test_targets_are_servers_and_what_is_passed_to_directly():
    """Not the names of upstreams, not what a variable decides, not nginx's own `server` blocks."""
    assert targets(CONFIG) == {
        "unix:/run/x.sock", "backend.example:8000", "[::1]:8001", "localhost/b", "unix:/run/y.sock:/uri/",
        "127.0.0.1:8000",
    }  # fmt: skip


def test_sockets_are_told_by_their_paths():
    """Those of Gunicorn's `bind` too; abstract ones have no file."""
    bind = ["unix:/run/z.sock", "unix:@abstract", "127.0.0.1:80"]

    assert {"/run/x.sock", "/run/y.sock", "/run/z.sock"} == socket_paths([*targets(CONFIG), *bind])


def test_names_are_hosts_that_must_be_resolved():
    """No address, no socket, no port."""
    assert {"backend.example", "localhost", "app"} == host_names([*targets(CONFIG), "app:8000", "fd://3", "[::]:80"])


def test_names_that_nobody_knows_are_absent():
    """So are those that are no names."""

    def known(name):
        if name != "good":
            raise OSError("no such name")
        return ("10.0.0.1", "::1")

    assert {"good": ("10.0.0.1", "::1")} == resolved(["good", "bad"], resolve=known)
    assert {} == resolved(["x" * 300])


def test_name_that_never_answers_does_not_hold_the_others_up():
    """All names together have the time, and what came in it counts."""
    stuck = threading.Event()

    def slow(name):
        if name.startswith("slow"):
            stuck.wait(60)
        return ("10.0.0.1",)

    began = time.monotonic()
    found = resolved(["slow1", "slow2", "slow3", "quick"], seconds=0.3, resolve=slow)
    took = time.monotonic() - began
    stuck.set()

    assert ({"quick": ("10.0.0.1",)}, True) == (found, took < 5)


def test_localhost_is_resolved_as_nginx_does():
    """By getaddrinfo, each address once."""
    addresses = resolve("localhost")

    assert ("127.0.0.1" in addresses, len(addresses)) == (True, len(set(addresses)))


def test_own_addresses_hold_loopback():
    """Without the scope of an interface."""
    addresses = own_addresses()

    assert ("127.0.0.1" in addresses, [one for one in addresses if "%" in one]) == (True, [])


@pytest.mark.parametrize("odd", ["", "http://", "[", "[]", ":", "://", "unix:"])
def test_odd_target_is_no_name(odd):
    """It is nginx's to refuse it."""
    assert (set(), set()) == (host_names([odd]) - {"http"}, socket_paths([odd]))


@given(st.text(st.sampled_from("ab:/[]$.@unix 1\x00é")))
def test_any_target_is_read_without_a_fault(text):
    """A name that a resolver is asked for has neither port, path nor bracket."""
    assert not [name for name in host_names([text]) if set(name) & set(":/[]@ ")]
    assert all(path.startswith("/") for path in socket_paths([text]))
