import threading
import time

from hypothesis import given
from hypothesis import strategies as st

from gunicorn_autotune.cli.nginx_names import host_names, own_addresses, peers, resolve, resolved, socket_paths
from gunicorn_autotune.nginx.read.tree import Directive
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


BIND = ["unix:/run/z.sock", "unix:@abstract", "127.0.0.1:80", "gunicorn:80", "[::]:80", "fd://3"]


def test_sockets_are_told_by_their_paths():
    """Those of upstreams, of proxy_pass and of Gunicorn's `bind`; abstract ones have no file."""
    assert {"/run/x.sock", "/run/y.sock", "/run/z.sock"} == socket_paths(peers(CONFIG), BIND)


def test_names_are_hosts_that_must_be_resolved():
    """No address, no socket, no name of an upstream, nothing that a variable decides."""
    assert {"backend.example", "localhost", "gunicorn"} == host_names(peers(CONFIG), BIND)


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


@given(st.text(st.sampled_from("ab:/[]$.@unix 1\x00é")))
def test_any_target_is_read_without_a_fault(text):
    """A name that a resolver is asked for has neither port, path nor bracket."""
    server = Directive("server", (text,), "f", 1, 1)
    config = a_config(a_directive("http", Directive("upstream", ("a",), "f", 1, 1, (server,))))

    assert not [name for name in host_names(peers(config), [text]) if set(name) & set(":/[]@ ")]
    assert all(path.startswith("/") for path in socket_paths(peers(config), [text]))
