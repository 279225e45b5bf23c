"""Which figures are rendered for which Gunicorn."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from gunicorn_autotune.nginx.site.gunicorn import CONCURRENT, SYNC, THREADED, UNKNOWN, Gunicorn
from gunicorn_autotune.nginx.write import fitting
from gunicorn_autotune.nginx.write.fitting import FittingError
from gunicorn_autotune.nginx.write.options import Options
from gunicorn_autotune.nginx.write.render import USES, render
from gunicorn_autotune.nginx.write.rendered.lines import rows
from tests.rendering import FULL, a_gunicorn


def said(name: str, gunicorn: Gunicorn, options: Options = FULL, directive: str = "") -> list[str]:
    """The values of one directive in a rendered file."""
    text = render(gunicorn, options)[name]
    return re.findall(rf"^\s*{directive} +(.*?);", text, re.MULTILINE)


def upstream(gunicorn: Gunicorn, directive: str, **options: Any) -> list[str]:
    """Of the upstream block."""
    return said("conf.d/shop-http.conf", gunicorn, replace(FULL, **options), directive)


@pytest.mark.parametrize(("keepalive", "idle"), [(2, "1s"), (5, "1s"), (7, "1s"), (10, "4s"), (75, "60s")])
def test_nginx_lets_go_before_gunicorn_does(keepalive: int, idle: str) -> None:
    """keepalive_timeout is strictly below Gunicorn's keepalive, at most nginx's own minute."""
    assert upstream(a_gunicorn(keepalive=keepalive), "keepalive_timeout") == [idle]


@pytest.mark.parametrize("keepalive", [0, 1])
def test_without_time_to_let_go_first_nothing_is_kept(keepalive: int) -> None:
    """No keepalive_timeout of whole seconds is below 1."""
    assert upstream(a_gunicorn(keepalive=keepalive), "keepalive") == []


@pytest.mark.parametrize(
    ("kind", "max_workers", "nginx_workers", "count"),
    [(THREADED, 8, 2, "32"), (THREADED, 8, 3, "22"), (THREADED, 1, 2, "8"), (CONCURRENT, 8, 2, "128")],
)
def test_as_many_connections_are_kept_as_the_most_workers_need(
    kind: str, max_workers: int, nginx_workers: int, count: str
) -> None:
    """2 x max_workers x requests at once, shared by nginx's workers, 8 to 128."""
    assert upstream(a_gunicorn(kind, max_workers=max_workers), "keepalive", nginx_workers=nginx_workers) == [count]


def test_the_count_follows_max_workers_and_not_todays_workers() -> None:
    """A server that has just shrunk to one worker gets the same file."""
    assert upstream(a_gunicorn(workers=1), "keepalive") == upstream(a_gunicorn(workers=8), "keepalive")


@pytest.mark.parametrize(
    ("nginx", "lines"),
    [("1.22.1", [["2s"], []]), ("1.18.0", [[], ["100"]]), ("1.19.10", [["2s"], []]), ("1.15.2", [[], []])],
)
def test_connections_end_so_that_new_workers_are_found(nginx: str, lines: list[list[str]]) -> None:
    """keepalive_time where nginx knows it, keepalive_requests before, nothing where no idle time can be set."""
    found = [upstream(a_gunicorn(), name, nginx_version=nginx) for name in ("keepalive_time", "keepalive_requests")]

    assert found == lines


@pytest.mark.parametrize(
    ("kind", "version"), [(SYNC, "27.0.1"), (THREADED, "25.3.0"), (THREADED, "26.2.0"), (THREADED, "23.0.0")]
)
@pytest.mark.parametrize(("nginx", "lines"), [("1.28.0", []), ("1.29.7", ["0"])])
def test_where_keeping_gains_or_saves_nothing_it_is_off(kind: str, version: str, nginx: str, lines: list[str]) -> None:
    """Sync closes anyway; gthread before 27.0.1 loses kept requests. From 1.29.7 nginx must be told not to."""
    assert upstream(a_gunicorn(kind, version), "keepalive", nginx_version=nginx) == lines


def test_what_an_old_gthread_loses_is_said() -> None:
    """Before 25.3.0 requests are lost with and without kept connections; the comment names the cure."""
    text = render(a_gunicorn(version="23.0.0"), FULL)["conf.d/shop-http.conf"]

    assert (
        "23.0.0 loses kept-alive requests when a worker leaves, others too (27 of 11,366); the cure is 27.0.1" in text
    )


@pytest.mark.parametrize(
    ("kind", "values", "seconds"),
    [
        (SYNC, {"timeout": 30, "graceful_timeout": 10}, "35s"),
        (SYNC, {"timeout": 0}, "60s"),
        (THREADED, {"timeout": 30, "graceful_timeout": 10}, "10s"),
        (CONCURRENT, {"timeout": 30, "graceful_timeout": 20}, "20s"),
        (THREADED, {"graceful_timeout": 1}, "5s"),
        (UNKNOWN, {"timeout": 40}, "45s"),
    ],
)
def test_the_read_timeout_follows_what_ends_a_request(kind: str, values: dict[str, int], seconds: str) -> None:
    """Sync: timeout, plus what lets Gunicorn give up first. Others: graceful_timeout, since timeout bounds nothing."""
    assert said("shop/tuning.conf", a_gunicorn(kind, **values), directive="proxy_read_timeout") == [seconds]


@pytest.mark.parametrize(
    ("bind", "server"),
    [
        (["127.0.0.1:8000"], "127.0.0.1:8000"),
        (["localhost:8000"], "127.0.0.1:8000"),
        (["0.0.0.0:8000"], "127.0.0.1:8000"),
        ([":8000"], "127.0.0.1:8000"),
        (["[::]:8000"], "[::1]:8000"),
        (["[fd00::2]:8000"], "[fd00::2]:8000"),
        (["unix:/run/shop/g.sock"], "unix:/run/shop/g.sock"),
        (["unix:///run/shop/g.sock"], "unix:/run/shop/g.sock"),
        (["unix:g.sock"], "unix:/srv/shop/g.sock"),
        (["127.0.0.1:8000", "unix:/run/g.sock"], "unix:/run/g.sock"),
        (["*:8000"], "127.0.0.1:8000"),
        (["LOCALHOST:8000"], "127.0.0.1:8000"),
    ],
)
def test_the_server_is_where_gunicorn_listens(bind: list[str], server: str) -> None:
    """One peer, and never a name that stands for two addresses."""
    assert upstream(a_gunicorn(bind=bind), "server") == [f"{server} fail_timeout=0"]


@pytest.mark.parametrize(
    "bind",
    [
        [],
        ["fd://3"],
        ["unix:@hidden"],
        ["unix:/run/a$b"],
        ["unix:/run/a\nb"],
        ["127.0.0.1:0"],
        ["a:80; evil"],
        [f"unix:/run/{'a' * 200}"],
    ],
)
def test_an_address_that_nginx_cannot_be_given_is_refused(bind: list[str]) -> None:
    """Nothing is guessed, and nothing of it becomes a directive of its own."""
    with pytest.raises(FittingError):
        render(a_gunicorn(bind=bind), FULL)


def test_several_hosts_share_state_and_survive_one_failure() -> None:
    """zone, a balancing method, and three failures before a host is out."""
    text = render(a_gunicorn(), replace(FULL, servers=("10.0.0.4:8000", "10.0.0.5:8000")))["conf.d/shop-http.conf"]

    assert re.findall(r"^    (zone|least_conn|server 10.*);?", text, re.MULTILINE) == [
        "zone",
        "least_conn",
        "server 10.0.0.4:8000 max_fails=3 fail_timeout=5s;",
        "server 10.0.0.5:8000 max_fails=3 fail_timeout=5s;",
    ]


@pytest.mark.parametrize(("servers", "words"), [((), ["off"]), (("10.0.0.4:80", "10.0.0.5:80"), ["error timeout"])])
def test_a_request_is_sent_again_only_to_another_host(servers: tuple[str, ...], words: list[str]) -> None:
    """With one Gunicorn a GET that kills its worker must not reach the next."""
    options = replace(FULL, servers=servers)

    assert said("shop/tuning.conf", a_gunicorn(), options, "proxy_next_upstream") == words


def test_all_clients_together_may_fill_gunicorn_and_its_queue() -> None:
    """The limit lies where a UNIX socket would begin to refuse."""
    found = said("shop/limits.conf", a_gunicorn(backlog=100), directive="limit_conn")

    assert found == ["shop_client 50", "shop_all 132"]


@pytest.mark.parametrize("values", [{"backlog": 65535}, {"max_workers": 10**400}], ids=["backlog", "max_workers"])
def test_no_count_is_larger_than_nginx_takes(values: dict[str, int]) -> None:
    """`connection limit must be less 65536`, `nginx -t` says; memory of a worker is bounded too."""
    gunicorn = a_gunicorn(CONCURRENT, **values)
    counts = [
        *said("shop/limits.conf", gunicorn, directive="limit_conn"),
        *said("main.conf.txt", gunicorn, directive="worker_connections"),
    ]

    assert counts == ["shop_client 50", "shop_all 65535", "131072"]


def test_a_backlog_of_none_is_left_to_nginx() -> None:
    """`backlog=0` is invalid there."""
    assert said("conf.d/shop-unknown.conf", a_gunicorn(backlog=0), directive="listen") == [
        "80 default_server",
        "[::]:80 default_server",
    ]


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({"domains": ()}, "http://localhost/"),
        ({"domains": ("*.example.com",), "certificate": "/c", "key": "/k"}, "https://www.example.com/"),
        ({"listen": ("127.0.0.1:8080",)}, "http://example.com:8080/"),
    ],
)
def test_the_readme_asks_where_the_site_listens(changes: dict[str, Any], url: str) -> None:
    """A URL that curl can open, with its port."""
    assert f"$ curl -i {url} " in render(a_gunicorn(), replace(FULL, **changes))["README.md"]


@pytest.mark.parametrize("domains", [(), ("example.com",)])
def test_the_readme_knows_debians_default_site(domains: tuple[str, ...]) -> None:
    """It is the first thing that `nginx -t` says there."""
    assert "| `a duplicate default server` |" in render(a_gunicorn(), replace(FULL, domains=domains))["README.md"]


@pytest.mark.parametrize(
    ("line", "field", "buffers"),
    [(4094, 8190, "4 8k"), (4094, 16380, "4 16k"), (8190, 100, "4 8k"), (0, 8190, "4 64k")],
)
def test_a_header_line_that_gunicorn_takes_fits(line: int, field: int, buffers: str) -> None:
    """Of the two limits the larger one counts; none at all is bounded."""
    gunicorn = a_gunicorn(limit_request_line=line, limit_request_field_size=field)

    assert said("shop/tuning.conf", gunicorn, directive="large_client_header_buffers") == [buffers]


@pytest.mark.parametrize(("nginx", "listen", "http2"), [("1.25.0", "443 ssl http2", []), ("1.25.1", "443 ssl", ["on"])])
def test_http2_is_spelled_as_this_nginx_wants_it(nginx: str, listen: str, http2: list[str]) -> None:
    """A word of `listen` before 1.25.1, a directive since."""
    options = replace(FULL, certificate="/c.pem", key="/k.pem", nginx_version=nginx)
    found = [said("conf.d/shop-site.conf", a_gunicorn(), options, name) for name in ("listen", "http2")]
    others = said("conf.d/shop-unknown.conf", a_gunicorn(), options, "listen")

    assert found == [["80", "[::]:80", listen, f"[::]:{listen}"], http2]
    assert others[2:] == [f"{place}{listen} default_server backlog=2048" for place in ("", "[::]:")]


def test_a_port_of_its_own_reaches_the_app() -> None:
    """On port 8443 a redirect of the app must name the port; on 443 it must not."""
    tls = replace(FULL, certificate="/c.pem", key="/k.pem")
    hosts = [
        re.findall(r"Host (.*?);", render(a_gunicorn(), options)["shop/proxy.conf"])[0]
        for options in (tls, replace(tls, listen=("8443",)))
    ]

    assert hosts == ["$host", "$host:$server_port"]


@pytest.mark.parametrize("umask", [0o007, 0o077, 0o022])
def test_a_socket_that_nginx_may_not_open_is_remarked(umask: int) -> None:
    """Writing to a socket takes the write bit."""
    text = render(a_gunicorn(bind=["unix:/run/shop/g.sock"], umask=umask), FULL)["conf.d/shop-http.conf"]

    assert (f"umask = {umask:#o}" in text) == bool(umask & 0o002)


def test_gunicorns_own_tls_is_spoken_to() -> None:
    """certfile set: https to the upstream."""
    assert said("shop/proxy.conf", a_gunicorn(tls=True), directive="proxy_pass") == ["https://shop_gunicorn"]


CHANGES: dict[str, Any] = {
    "backlog": 100,
    "bind": ["127.0.0.1:9000"],
    "graceful_timeout": 11,
    "keepalive": 1,
    "limit_request_field_size": 9000,
    "limit_request_line": 9000,
    "max_workers": 30,
    "threads": 40,
    "timeout": 17,
    "tls": True,
    "umask": 0o077,
    "worker_connections": 77,
    "chdir": "/elsewhere",
    "workers": 3,
    "reuse_port": True,
}


@pytest.mark.parametrize("kind", [SYNC, THREADED, CONCURRENT, UNKNOWN])
def test_a_header_tells_every_setting_that_its_file_follows(kind: str) -> None:
    """Change one setting: the files whose lines change are files that declare it."""
    options = replace(FULL, certificate="/c.pem", key="/k.pem")
    before = render(a_gunicorn(kind, bind=["unix:/run/g.sock"]), options)
    for setting, value in CHANGES.items():
        after = render(a_gunicorn(kind, **{"bind": ["unix:/run/g.sock"]} | {setting: value}), options)
        changed = {name for name in before if _body(before[name]) != _body(after[name])}
        declared = {name for name in before for end, uses in USES.items() if name.endswith(end) and setting in uses}

        assert changed <= declared, setting


def _body(text: str) -> str:
    return text.partition("\n\n")[2] if text.startswith(("# Written", "<!-- Written")) else text


def test_comments_line_up() -> None:
    """Directives that follow one another share their columns; a long value pushes nobody away."""
    text = rows([("gzip", "on", "one"), ("expires", "1d", "two"), "", ("deny", "x" * 50, "three")])

    assert text == f"gzip    on;  # one\nexpires 1d;  # two\n\ndeny {'x' * 50};  # three\n"


@pytest.mark.parametrize(
    ("said", "connections"), [({"workers": 2}, 4096), ({"workers": 2049}, 8192), ({"workers": 2048}, 4096)]
)
def test_connections_are_a_power_of_two_that_carries_every_request_twice(
    said: dict[str, int], connections: int
) -> None:
    """And 4096 at least."""
    gunicorn = Gunicorn("27.0.1", values={"worker_class": "sync", "backlog": 0, **said})

    assert connections == fitting.connections_needed(gunicorn, Options(nginx_version="1.28.0", nginx_workers=1))
