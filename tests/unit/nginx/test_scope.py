"""What is in force in a block."""

from __future__ import annotations

from gunicorn_autotune.nginx.read.parse import parse
from gunicorn_autotune.nginx.site.scope import Scope, scopes
from tests.nginx_samples import MAIN
from tests.nginx_words import Texts

TEXT = """\
events {}
http {
    proxy_read_timeout 90s;
    proxy_set_header Host $host;
    proxy_set_header Connection "";
    server {
        listen 80;
        location / {
            proxy_pass http://127.0.0.1:8000;
            location /api/ {
                proxy_set_header X-Api 1;
                proxy_read_timeout 1m30s;
            }
        }
    }
}
"""


def location(uri: str, version: str = "1.22.1") -> Scope:
    """The scope of a location of TEXT."""
    root = parse(Texts({MAIN: TEXT}), MAIN)
    return next(one for one in scopes(root, version, frozenset({"location"})) if one.here.args == (uri,))


def test_a_value_comes_from_the_nearest_block() -> None:
    """With the file and line that says it."""
    assert str(location("/").value("proxy_read_timeout")) == "proxy_read_timeout 90s (/etc/nginx/nginx.conf:3)"


def test_an_inner_value_hides_the_outer_one() -> None:
    """As nginx merges."""
    assert location("/api/").value("proxy_read_timeout").seconds == 90.0
    assert location("/api/").value("proxy_read_timeout").origin == "/etc/nginx/nginx.conf:12"


def test_a_value_nobody_wrote_is_the_default_of_that_nginx() -> None:
    """And says so."""
    assert str(location("/").value("proxy_http_version")) == "proxy_http_version 1.0 (default of nginx 1.22.1)"
    assert location("/", "1.30.4").value("proxy_http_version").text == "1.1"


def test_headers_are_inherited_all_or_none() -> None:
    """One proxy_set_header in a location hides all of the outer ones."""
    assert [one.args[0] for one in location("/").all("proxy_set_header")] == ["Host", "Connection"]
    assert [one.args[0] for one in location("/api/").all("proxy_set_header")] == ["X-Api"]
    assert location("/api/").header("Host") is None


def test_the_server_of_a_nested_location_is_found() -> None:
    """However deep it lies."""
    server = location("/api/").server

    assert server is not None and server.here.children("listen")[0].args == ("80",)
