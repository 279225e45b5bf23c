"""What `nginx render` takes, and what it refuses with option, value and rule in one line."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gunicorn_autotune.cli import nginx_words as words
from gunicorn_autotune.cli.style import CommandError
from gunicorn_autotune.nginx.write.fitting import as_word
from gunicorn_autotune.nginx.write.options import Folder

INJECTIONS = ["a; return 200", "a\nb", "a{", "a}", "$host", 'a"', "a'", "a b", "", "#a", "a\\", "a\x00", "é", "`id`"]
CHECKS: dict[str, Callable[[str], Any]] = {
    "--name": words.check_name,
    "--domain": words.check_domain,
    "--listen": lambda value: words.check_listen("--listen", value),
    "--server-address": words.check_server,
    "--stream": lambda value: words.check_url("--stream", f"/{value}"),
    "--nginx-dir": lambda value: words.check_plain_path("--nginx-dir", f"/etc/{value or ' '}"),
    "--metrics-allow": words.check_network,
    "--nginx-version": words.check_version,
    "--largest-body": words.check_size,
}


@pytest.mark.parametrize("value", INJECTIONS)
@pytest.mark.parametrize("option", CHECKS)
def test_nothing_becomes_a_directive_of_its_own(option: str, value: str) -> None:
    """Whatever ends a word, a line or a block is refused, with the option's name."""
    with pytest.raises(CommandError, match=f"^{option} = "):
        CHECKS[option](value)


@pytest.mark.parametrize("value", ["/srv/$host", "/srv/a\nb", "/srv/a\x7f", "srv"])
def test_a_path_that_nginx_cannot_be_given_is_refused(value: str) -> None:
    """`$` begins a variable, a newline a directive."""
    with pytest.raises(CommandError, match=r"^--tls = "):
        words.check_path("--tls", value)


@given(st.text(min_size=1, max_size=40))
def test_whatever_passes_is_one_word(text: str) -> None:
    """Quoted, a path is one word to nginx: no bare quote, no end of line, no variable."""
    try:
        word = as_word(words.check_path("--tls", f"/{text}"))
    except CommandError:
        return

    assert re.fullmatch(r'[^\s;{}"\'\\#$]+|"(?:[^"\\$\n]|\\["\\])*"', word)


@pytest.mark.parametrize(
    ("value", "folder"),
    [
        ("/srv/shop/static", Folder("/static/", "/srv/shop/static/")),
        ("/srv/shop/static/", Folder("/static/", "/srv/shop/static/")),
        ("/srv/shop/a b=/files", Folder("/files/", "/srv/shop/a b/")),
        ("/srv/x=y", Folder("/static/", "/srv/x=y/")),
        ("here=/s/t/", Folder("/s/t/", f"{os.getcwd()}/here/")),  # noqa: PTH109
    ],
)
def test_a_folder_gets_its_url_and_its_slashes(value: str, folder: Folder) -> None:
    """Both end in a slash whatever was typed; a relative folder is one of here."""
    assert words.check_folder("--static", value, "/static/") == folder


@pytest.mark.parametrize("url", ["/", "//", "/../", "/a/../b/", "/./", "a/", "/a b/", "/a;/", "/a//b"])
def test_a_url_is_a_folder_below_the_site(url: str) -> None:
    """Not the whole site, and nothing that nginx would take for another one."""
    with pytest.raises(CommandError, match=r"^--stream = "):
        words.check_url("--stream", url)


@pytest.mark.parametrize("value", ["80", "127.0.0.1:8080", "[::]:80", "*:80", "[::1]:443"])
def test_an_address_to_listen_on_is_taken_as_it_is(value: str) -> None:
    """The forms of nginx's `listen`."""
    assert words.check_listen("--listen", value) == value


@pytest.mark.parametrize(
    "value", ["0", "65536", "::80", "example.com:80", "[1.2.3.4]:80", "80 ssl", "٨٠", "[::1%x; y]:80"]
)
def test_an_address_that_is_none_is_refused(value: str) -> None:
    """Ports out of range, names, words behind it, other scripts' digits, an interface of any characters."""
    with pytest.raises(CommandError, match=r"^--listen = "):
        words.check_listen("--listen", value)


@pytest.mark.parametrize("value", ["10.0.0.4:8000", "web-1:8000", "[fd00::2]:8000", "unix:/run/shop/g.sock"])
def test_a_gunicorn_elsewhere_is_taken(value: str) -> None:
    """HOST:PORT or a socket."""
    assert words.check_server(value) == value


@pytest.mark.parametrize("value", ["web", "web:0", "web:", ":8000", "unix:run/g.sock", "web:80/path", "[::1%x;]:80"])
def test_what_is_no_address_of_a_gunicorn_is_refused(value: str) -> None:
    """A host and a port, both."""
    with pytest.raises(CommandError, match=r"^--server-address = "):
        words.check_server(value)


@pytest.mark.parametrize("name", ["sites-enabled", "snippets", "modules-enabled", "win-utf"])
def test_a_name_that_nginxs_folder_has_already_is_refused(name: str) -> None:
    """The site's files would end up among the distribution's."""
    with pytest.raises(CommandError, match=r"^--name = "):
        words.check_name(name)


def test_one_url_stands_for_one_thing() -> None:
    """nginx refuses two locations of one URL; so do we, before."""
    folders = [Folder("/static/", "/a/"), Folder("/static/", "/b/")]

    with pytest.raises(CommandError, match=r"^/static/: stands for two things"):
        words.check_urls_differ(folders, [])


def test_a_network_names_no_interface() -> None:
    """What follows `%` may be anything, the end of the line too."""
    with pytest.raises(CommandError, match=r"^--metrics-allow = "):
        words.check_network("fe80::1%; evil")


@pytest.mark.parametrize(
    ("option", "check", "value"),
    [("--nginx-version", words.check_version, "٨.٢"), ("--largest-body", words.check_size, "٨m")],
)
def test_digits_of_other_scripts_are_none_to_nginx(option: str, check: Callable[[str], str], value: str) -> None:
    r"""Python's `\d` takes them."""
    with pytest.raises(CommandError, match=f"^{option} = "):
        check(value)


def test_a_socket_in_a_url_holds_no_colon() -> None:
    """nginx would take what follows for the path of the request."""
    with pytest.raises(CommandError, match=r"^--exporter = .*colon"):
        words.check_proxied_path("--exporter", "/run/a:b.sock")
