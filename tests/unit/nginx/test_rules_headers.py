"""NGX301 to NGX309 where they must be silent, or only warn."""

from __future__ import annotations

import pytest

from gunicorn_autotune.nginx.rules.check import check
from tests.nginx_samples import MAIN, site_from
from tests.unit.nginx.asked import HTTP, RULES, asked, cured, levels, location, upstream

GUNICORN = "#: gunicorn.threads = 2\nevents {}\n"
HOST = "proxy_set_header Host $host;"
ADDRESS = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"


@pytest.mark.parametrize("sent", ["$host", "$http_host", "$proxy_host", "shop.example", '""'])
def test_a_host_set_on_purpose_is_left_alone(sent: str) -> None:
    """Whatever it is."""
    assert [] == levels("NGX301", location(f"proxy_set_header Host {sent};"))


def test_one_location_without_host_among_others_is_a_warning() -> None:
    """A health check may do without."""
    body = f"location / {{ proxy_pass http://shop; {HOST} }}\nlocation /ok {{ proxy_pass http://shop; }}"

    assert ["warning"] == levels("NGX301", GUNICORN + HTTP % body)


def test_a_missing_host_is_a_warning_where_gunicorn_is_not_known() -> None:
    """Another server may want the name in proxy_pass."""
    assert ["warning"] == levels("NGX301", location("", said=""))


def test_somebody_elses_server_keeps_its_name() -> None:
    """`proxy_pass https://api.example.com` beside nothing that leads to Gunicorn."""
    assert [] == levels("NGX301", "events {}\n" + HTTP % "location / { proxy_pass https://api.example.com; }")


def test_a_location_that_does_not_lead_to_gunicorn_is_left_alone() -> None:
    """Another app beside it may have its own rules."""
    body = f"location / {{ proxy_pass http://shop; {HOST} }}\nlocation /g {{ proxy_pass http://127.0.0.1:3000; }}"

    assert [] == levels("NGX301", GUNICORN + HTTP % body)


def test_locations_without_any_header_are_cured_once_in_their_server() -> None:
    """Three of them, one line."""
    body = "\n".join(f"location /{name}/ {{\nproxy_pass http://shop;\n}}" for name in "abc")

    assert 1 == cured("NGX301", GUNICORN + HTTP % body).count(HOST)


def test_a_server_that_others_share_is_left_alone() -> None:
    """A line there would reach the other app too, so each location gets its own."""
    body = "location / {\nproxy_pass http://shop;\n}\nlocation /b {\nproxy_pass http://shop;\n}\n"
    body += "location /g {\nproxy_pass http://127.0.0.1:3000;\n}"

    assert 2 == cured("NGX301", GUNICORN + HTTP % body).count(HOST)


def test_a_line_that_others_share_is_not_followed_by_another() -> None:
    """A header at http level serves the other app as well: told, without a change to propose."""
    http = f"http {{\n    {ADDRESS}\n    server {{\n        location / {{\n proxy_pass http://127.0.0.1:8000;\n }}\n"
    text = GUNICORN + http + "        location /g {\n proxy_pass http://127.0.0.1:3000;\n }\n    }\n}\n"

    assert [()] == [one.edits for one in asked("NGX301", text)]


def test_a_proxy_pass_in_an_if_gets_its_header_in_the_location() -> None:
    """nginx allows no proxy_set_header in `if`."""
    body = "location / {\nif ($uri) {\nproxy_pass http://shop;\n}\n}"

    assert f"}}\n{HOST}\n}}" in cured("NGX301", GUNICORN + HTTP % body)


def included(locations: int) -> dict[str, str]:
    """A site whose locations share a distribution's file of headers."""
    body = "\n".join(
        f"location /{at} {{\n include proxy_params;\n proxy_pass http://shop;\n}}" for at in range(locations)
    )
    return {MAIN: GUNICORN + HTTP % body, "/etc/nginx/proxy_params": f"{ADDRESS}\n"}


@pytest.mark.parametrize(("locations", "file"), [(1, MAIN), (3, "/etc/nginx/proxy_params")])
def test_an_included_file_is_changed_where_several_locations_share_it(locations: int, file: str) -> None:
    """One location keeps its line to itself; the distribution's file stays as it is."""
    found = check(site_from(included(locations)), [RULES["NGX301"]], strict=True).findings

    assert [file] == [edit.file for one in found for edit in one.edits]


def test_a_location_that_inherits_gets_its_line_where_the_others_are() -> None:
    """A line in the location would switch off those of the server."""
    body = f"{ADDRESS}\nlocation / {{\nproxy_pass http://shop;\n}}"

    assert f"{ADDRESS}\n{HOST}" in cured("NGX301", GUNICORN + HTTP % body)


def test_a_header_that_is_lost_on_the_way_is_told_once() -> None:
    """By NGX305, whose fix repeats it."""
    assert [] == levels("NGX301", location(ADDRESS, server=HOST))


@pytest.mark.parametrize(
    "lines", [ADDRESS, "proxy_set_header X-Real-IP $remote_addr;", "proxy_set_header Forwarded $proxy_add_forwarded;"]
)
def test_one_way_to_tell_the_client_is_enough(lines: str) -> None:
    """Which of them the app reads is its own matter."""
    assert [] == levels("NGX302", location(lines))


@pytest.mark.parametrize(
    ("listen", "lines", "found"),
    [
        ("", ADDRESS, []),
        ("listen 443 ssl;", ADDRESS, ["warning"]),
        ("listen 443 ssl;", f"{ADDRESS} proxy_set_header X-Forwarded-Proto https;", []),
        ("listen 443 ssl;", f"{ADDRESS} proxy_set_header X-Forwarded-Ssl on;", []),
    ],
    ids=["plain", "tls", "told", "told-otherwise"],
)
def test_https_is_to_be_told_where_tls_ends_here(listen: str, lines: str, found: list[str]) -> None:
    """Behind another proxy that ends TLS the header passes through."""
    assert found == levels("NGX302", location(lines, server=listen))


@pytest.mark.parametrize(
    ("server", "said", "found"),
    [
        ("server 127.0.0.1:8000;", 'gunicorn.forwarded_allow_ips = ["10.0.0.0/8"]', ["error"]),
        ("server 127.0.0.1:8000;", 'gunicorn.forwarded_allow_ips = ["127.0.0.0/8"]', []),
        ("server 127.0.0.1:8000;", 'gunicorn.forwarded_allow_ips = ["*"]', []),
        ("server unix:/run/g.sock;", 'gunicorn.bind = ["unix:/run/g.sock"]\ngunicorn.forwarded_allow_ips = []', []),
        ("server 127.0.0.1:8000;", 'gunicorn.bind = ["[::]:8000"]', ["warning"]),
        ("server [::1]:8000;", 'gunicorn.bind = ["[::]:8000"]', []),
        ("server web:8000;", 'gunicorn.bind = ["0.0.0.0:8000"]', ["warning"]),
        ("server web:8000;", 'gunicorn.bind = ["0.0.0.0:8000"]\ngunicorn.forwarded_allow_ips = ["172.16.0.0/12"]', []),
        ("server 10.0.0.5:8000;", 'gunicorn.bind = ["10.0.0.5:8000"]\nhost.own_addresses = ["10.0.0.5"]', ["warning"]),
    ],
    ids=["wrong-list", "network", "any", "socket", "mapped", "ipv6", "container", "container-listed", "own-address"],
)
def test_gunicorn_must_believe_the_address_that_nginx_comes_from(server: str, said: str, found: list[str]) -> None:
    """An error only where somebody wrote a list without it."""
    text = upstream(server, said).replace("{ proxy_pass", "{ proxy_set_header X-Forwarded-Proto https; proxy_pass")

    assert found == levels("NGX303", text)


@pytest.mark.parametrize("line", ["", "proxy_set_header X-Forwarded-Proto $scheme;"])
def test_nothing_is_ignored_where_nginx_never_says_https(line: str) -> None:
    """Without TLS here, $scheme is http, which Gunicorn assumes anyway."""
    assert [] == levels("NGX303", location(line, said='#: gunicorn.forwarded_allow_ips = ["10.0.0.1"]'))


@pytest.mark.parametrize(
    ("bind", "found"),
    [
        ("127.0.0.1:8000", []),
        ("unix:/run/g.sock", []),
        ("0.0.0.0:8000", ["warning"]),
        ("10.0.0.5:8000", ["warning"]),
        ("9.9.9.9:8000", ["error"]),
    ],
)
def test_everybody_is_believed_where_only_nginx_can_come(bind: str, found: list[str]) -> None:
    """An error at a public address, a warning where a firewall or a container's network may be in front."""
    said = f'gunicorn.bind = ["{bind}"]\ngunicorn.forwarded_allow_ips = ["*"]'

    assert found == levels("NGX304", upstream(f"server {bind};".replace("0.0.0.0", "127.0.0.1"), said))


def test_what_an_inner_block_repeats_is_not_lost() -> None:
    """By name, whatever the value and the case of the letters."""
    assert [] == levels("NGX305", location("proxy_set_header host shop.example;", server=HOST))


def test_a_lost_host_is_an_error_where_no_location_sends_it() -> None:
    """As it is in NGX301."""
    assert ["error"] == levels("NGX305", location(ADDRESS, server=HOST))


def test_a_lost_host_is_a_warning_beside_locations_that_send_it() -> None:
    """A websocket location that forgot the rest."""
    body = f"{HOST}\nlocation / {{ proxy_pass http://shop; }}\n"
    body += "location /ws { proxy_pass http://shop; proxy_set_header Upgrade $http_upgrade; }"

    assert ["warning"] == levels("NGX305", GUNICORN + HTTP % body)


def test_a_header_lost_twice_is_repeated_once() -> None:
    """From http to server, and from server to location."""
    http = f"http {{\n{HOST}\nserver {{\n{ADDRESS}\nlocation / {{\nproxy_pass http://127.0.0.1:8000;\n"
    text = GUNICORN + http + "proxy_set_header Upgrade $http_upgrade;\n}\n}\n}\n"

    assert "Upgrade $http_upgrade;\n" + ADDRESS + "\n" + HOST in cured("NGX305", text)


@pytest.mark.parametrize(
    ("said", "server", "inner", "found"),
    [
        ("gunicorn.threads = 2", "underscores_in_headers on;", "", ["error"]),
        ("gunicorn.threads = 2", "ignore_invalid_headers off;", "", ["error"]),
        ("gunicorn.threads = 2", "underscores_in_headers on;", 'proxy_set_header SCRIPT_NAME "";', []),
        ("gunicorn.forwarder_headers = []", "underscores_in_headers on;", "", []),
        ('gunicorn.forwarded_allow_ips = ["10.0.0.1"]', "underscores_in_headers on;", "", []),
        ('gunicorn.forwarder_headers = ["REMOTE_USER"]', "underscores_in_headers on;", "", ["error"]),
        ('nginx = "1.22.1"', "underscores_in_headers on;", "", ["warning"]),
    ],
    ids=["underscores", "invalid-headers", "blanked", "none-taken", "not-believed", "remote-user", "unknown"],
)
def test_headers_with_underscores_are_dangerous_where_gunicorn_takes_them(
    said: str, server: str, inner: str, found: list[str]
) -> None:
    """From a believed nginx that neither drops nor sets them itself."""
    assert found == levels("NGX306", location(inner, said=f"#: {said}", server=server))


@pytest.mark.parametrize(
    ("inner", "said"),
    [
        ("", "gunicorn.threads = 2"),
        ("proxy_set_header X-Forwarded-Proto $scheme;", 'gunicorn.forwarded_allow_ips = ["10.0.0.1"]'),
    ],
    ids=["nothing-told", "not-believed"],
)
def test_no_header_contradicts_where_none_is_taken(inner: str, said: str) -> None:
    """Gunicorn compares only what a believed nginx sends."""
    assert [] == levels("NGX307", location(inner, said=f"#: {said}"))


@pytest.mark.parametrize("stamp", ['"t=${msec}"', "$msec", "$http_x_request_start"])
def test_a_stamp_that_autotune_can_read_is_left_alone(stamp: str) -> None:
    """nginx's own, or the one of a load balancer in front."""
    said = "#: policy.max_workers = 8"

    assert [] == levels("NGX308", location(f"proxy_set_header X-Request-Start {stamp};", said=said))


def test_a_time_in_words_is_put_right() -> None:
    """autotune reads numbers."""
    text = location("proxy_set_header X-Request-Start $time_iso8601;", said="#: policy.max_workers = 8")

    assert 'proxy_set_header X-Request-Start "t=${msec}";' in cured("NGX308", text)


def test_nobody_needs_a_stamp_without_autotune() -> None:
    """Gunicorn itself does not read it."""
    assert [] == levels("NGX308", location(HOST))


@pytest.mark.parametrize(
    ("server", "said", "found"),
    [
        ("", "gunicorn.threads = 2", []),
        ("large_client_header_buffers 4 8k;", "gunicorn.threads = 2", []),
        ("large_client_header_buffers 8 32k;", "gunicorn.limit_request_field_size = 0", []),
        ("client_header_buffer_size 16k;", "gunicorn.threads = 2", ["warning"]),
        ("", "gunicorn.limit_request_field_size = 4000", ["warning"]),
    ],
    ids=["defaults", "default-written", "no-limit", "first-buffer", "short-limit"],
)
def test_gunicorn_follows_where_somebody_enlarged_nginx(server: str, said: str, found: list[str]) -> None:
    """The defaults of both are left alone."""
    assert found == levels("NGX309", location("", said=f"#: {said}", server=server))


def test_a_health_check_alone_without_a_host_is_a_warning() -> None:
    """A location for a single path needs no name."""
    body = "location = /health { proxy_pass http://shop; }"

    assert ["warning"] == levels("NGX301", f"#: gunicorn.threads = 2\nevents {{}}\n{HTTP % body}")


def test_the_headers_are_blanked_where_somebody_lets_underscores_in() -> None:
    """`off` would drop the headers for which it is on."""
    after = cured("NGX306", location("", said="#: gunicorn.threads = 2", server="underscores_in_headers on;"))

    assert ("underscores_in_headers on;" in after, 'proxy_set_header SCRIPT_NAME "";' in after) == (True, True)


def test_a_line_without_a_name_is_no_lost_header() -> None:
    """nginx refuses it; the other rules go on."""
    assert [] == levels("NGX305", location("proxy_set_header Host $host;", server="proxy_set_header;"))
