"""Which location nginx chooses, and what a location is for."""

from __future__ import annotations

import pytest

from gunicorn_autotune.nginx.site import locations
from gunicorn_autotune.nginx.site.scope import Scope
from tests.nginx_samples import MAIN, site_from

SERVER = r"""
events {}
http {
    server {
        location / { return 200 root; }
        location = /exact { return 200 exact; }
        location /static/ { return 200 static; location ~ \.css$ { return 200 nested; } }
        location ^~ /final/ { return 200 final; }
        location ~* \.(css|js)$ { return 200 regex; }
        location ~ ^/(?<name>[a-z]+)\.html$ { return 200 named; }
        location =/glued { return 200 glued; }
        location @behind { return 200 behind; }
    }
}
"""


def server(text: str = SERVER) -> Scope:
    """The server of a configuration."""
    return next(site_from({MAIN: text}).scopes("server"))


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/", "root"),
        ("/exact", "exact"),
        ("/exact/", "root"),
        ("/static/a.png", "static"),
        ("/static/a.css", "nested"),
        ("/static/a.js", "regex"),
        ("/final/a.css", "final"),
        ("/A.CSS", "regex"),
        ("/50x.html", "root"),
        ("/page.html", "named"),
        ("/glued", "glued"),
    ],
)
def test_the_location_nginx_chooses(path: str, answer: str) -> None:
    """Answers of nginx 1.22.1 with this very configuration."""
    place = locations.chosen(server(), path)

    assert place is not None and [("200", answer)] == [line.args for line in place.here.children("return")]


def test_an_expression_that_cannot_be_read_is_not_judged() -> None:
    """PCRE knows more than Python does."""
    text = r"events {} http { server { location ~ (?|a|b) { return 200; } } }"

    assert locations.chosen(server(text), "/a") is None


@pytest.mark.parametrize("name", ["/", "^~ /", "@app", "~ ^/", "~ ^/(.*)$", "~ .*", "~* /"])
def test_locations_for_everything(name: str) -> None:
    """What no other location takes ends here."""
    scope = server(f"events {{}} http {{ server {{ location {name} {{ }} }} }}")

    assert locations.takes_everything(scope.here.children("location")[0])


@pytest.mark.parametrize("name", ["/events", "/ws/", "@stream", "~ ^/api/v1/stream$", "/socket.io/", "/live-updates"])
def test_names_of_streams(name: str) -> None:
    """Whoever reads the name knows."""
    scope = server(f"events {{}} http {{ server {{ location {name} {{ }} }} }}")

    assert locations.streams(scope.here.children("location")[0])


@pytest.mark.parametrize("name", ["/", "/news/", "/eventual", "/assets/", "/api/"])
def test_names_of_no_stream(name: str) -> None:
    """A part of a word is not the word."""
    scope = server(f"events {{}} http {{ server {{ location {name} {{ }} }} }}")

    assert not locations.streams(scope.here.children("location")[0])
