"""NGX101 to NGX108 where they are easily wrong."""

from __future__ import annotations

import pytest

from gunicorn_autotune.nginx.rules.finding import Severity
from tests.nginx_rules import GTHREAD, cured, found, written

SYNC = '#: gunicorn.worker_class = "sync"\n'
UPGRADE = "proxy_set_header Upgrade $http_upgrade;"


def beside(name: str, lines: str, passed: str = "shop") -> str:
    """One more location."""
    return f"location {name} {{ proxy_pass http://{passed}; {lines} }}"


TIMING = "".join(
    f"#: host.timing.{name} = {value}\n"
    for name, value in {
        "requests": 1000,
        "p50_seconds": 0.1,
        "connect_p99_seconds": 0.0,
        "request_p99_seconds": 8.0,
    }.items()
)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(written(said=SYNC), id="defaults of both"),
        pytest.param(written(said=SYNC, location="proxy_read_timeout 30s;"), id="equal"),
        pytest.param(
            written(said=SYNC, server="proxy_read_timeout 500ms;", location="proxy_read_timeout 1m;"), id="minute"
        ),
        pytest.param(
            written(said=SYNC + "#: gunicorn.timeout = 0\n", location="proxy_read_timeout 9s;"), id="timeout 0"
        ),
        pytest.param(written(location="proxy_read_timeout 10s;"), id="gthread"),
        pytest.param(
            written(said=SYNC, more=beside("/n/", "proxy_read_timeout 3s;", "127.0.0.1:3000")),
            id="another server",
        ),
    ],
)
def test_an_nginx_that_waits_longer_is_no_finding(text: str) -> None:
    """NGX101 is about sync workers that go on after nginx gave up."""
    assert () == found("NGX101", text)


def test_a_raised_timeout_meets_nginx_default() -> None:
    """timeout = 120 behind 60 s: written once, in the server."""
    after = cured("NGX101", written(said=SYNC + "#: gunicorn.timeout = 120\n"))

    assert 1 == after.count("proxy_read_timeout 125s;")
    assert () == found("NGX101", after)


def test_a_default_is_not_changed_for_others() -> None:
    """Another server's location in the same server block keeps its own time."""
    text = written(said=SYNC + "#: gunicorn.timeout = 120\n", more=beside("/n/", "", "127.0.0.1:3000"))

    assert "            proxy_read_timeout 125s;\n        }\n        location /n/" in cured("NGX101", text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(written(said=SYNC, more=beside("/live", "proxy_read_timeout 3s;")), id="live"),
        pytest.param(
            written(said=SYNC + '#: gunicorn.bind = ["unix:/x"]\n', location="proxy_read_timeout 3s;"), id="whose?"
        ),
    ],
)
def test_a_short_time_that_may_be_meant_is_a_warning(text: str) -> None:
    """Only the location for everything, of a Gunicorn that is known to be behind it, is an error."""
    assert [Severity.WARNING] == [one.level for one in found("NGX101", text)]


TUNED = GTHREAD + "#: policy.max_workers = 8\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(written(said=TUNED, location="proxy_read_timeout 100s;" + UPGRADE), id="websockets"),
        pytest.param(
            written(
                said=TUNED,
                server="proxy_read_timeout 30s;",
                more=beside("/events/", "proxy_buffering off; proxy_read_timeout 1h;"),
            ),
            id="stream",
        ),
        pytest.param(written(said=SYNC, location="proxy_read_timeout 100s;"), id="sync"),
        pytest.param(written(said=TUNED), id="NGX103"),
        pytest.param(written(said=TUNED, location="proxy_read_timeout 1h;"), id="NGX104"),
        pytest.param(
            written(said=TUNED + "#: gunicorn.graceful_timeout = 90\n", location="proxy_read_timeout 1m30s;"),
            id="as long",
        ),
    ],
)
def test_requests_that_a_leaving_worker_finishes_are_no_finding(text: str) -> None:
    """NGX102 is silent where a drain is long enough, or long answers are known to be cut off."""
    assert () == found("NGX102", text)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        pytest.param(written(said=TUNED, location="proxy_read_timeout 90s;"), Severity.WARNING, id="chosen"),
        pytest.param(written(location="proxy_read_timeout 90s;"), Severity.INFO, id="nothing recycles"),
    ],
)
def test_a_time_that_outlasts_a_drain_is_a_warning_where_workers_leave(text: str, level: Severity) -> None:
    """NGX102 is information where only a reload makes them leave."""
    assert [level] == [one.level for one in found("NGX102", text)]


def test_only_defaults_are_listed() -> None:
    """What is written anywhere around the location was chosen."""
    text = written(
        http="proxy_read_timeout 35s;", server="keepalive_timeout 15s;", location="proxy_connect_timeout 5s;"
    )

    assert ["proxy_send_timeout 30s;"] == [one.fix for one in found("NGX103", text)]


def test_servers_without_gunicorn_are_not_asked_for_timeouts() -> None:
    """A redirect has nothing to wait for."""
    text = written(http="server { listen 81; return 301 https://$host$request_uri; }")

    assert 1 == len(found("NGX103", text))


def test_two_rules_that_want_one_line_ask_for_one_edit() -> None:
    """A directive twice in a server would be refused."""
    text = written(said=SYNC + "#: gunicorn.timeout = 120\n")

    assert found("NGX101", text)[0].edits[0] in found("NGX103", text)[0].edits


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(written(location="proxy_read_timeout 2m;"), id="120 s"),
        pytest.param(written(location="proxy_read_timeout 1d;" + UPGRADE), id="websockets"),
        pytest.param(written(more=beside("/sse", "proxy_buffering off; proxy_read_timeout 1d;")), id="stream"),
        pytest.param(
            written(said=SYNC + "#: gunicorn.timeout = 300\n", location="proxy_read_timeout 305s;"), id="NGX101's fix"
        ),
        pytest.param(
            written(said=GTHREAD + "#: gunicorn.graceful_timeout = 300\n", location="proxy_read_timeout 5m;"),
            id="NGX102's fix",
        ),
        pytest.param(
            written(said=TIMING + "#: host.timing.p99_seconds = 10.0\n", location="proxy_read_timeout 200s;"),
            id="slow app",
        ),
        pytest.param(written(more=beside("/n/", "proxy_read_timeout 1d;", "127.0.0.1:3000")), id="other"),
    ],
)
def test_a_long_time_with_a_reason_is_no_finding(text: str) -> None:
    """NGX104 is silent where Gunicorn's limits, the app or the kind of answer ask for it."""
    assert () == found("NGX104", text)


def test_a_general_location_without_buffering_is_no_stream() -> None:
    """proxy_buffering off for everything is a habit, and no reason to wait for an hour."""
    assert 1 == len(found("NGX104", written(location="proxy_buffering off; proxy_read_timeout 1h;")))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(written(location="proxy_read_timeout 5s;"), id="5 s"),
        pytest.param(written(said=SYNC, location="proxy_read_timeout 2s;"), id="NGX101"),
        pytest.param(written(more=beside("= /health", "proxy_read_timeout 2s;")), id="health"),
        pytest.param(
            written(said=TIMING + "#: host.timing.p99_seconds = 7.0\n", location="proxy_read_timeout 8s;"), id="slow"
        ),
        pytest.param(
            written(
                said=GTHREAD + '#: status.workers = [{oldest_request_seconds = {missing = "unreported"}}]\n',
                location="proxy_read_timeout 8s;",
            ),
            id="missing figure",
        ),
        pytest.param(
            written(
                said=GTHREAD + "#: status.workers = [{oldest_request_seconds = 900.0}]\n", more=beside("/ws", UPGRADE)
            ),
            id="may be a websocket",
        ),
    ],
)
def test_a_time_that_requests_meet_is_no_finding(text: str) -> None:
    """NGX105 is silent above 5 s as long as nothing seen takes longer."""
    assert () == found("NGX105", text)


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        (GTHREAD + "#: status.workers = [{oldest_request_seconds = 40.0}]\n", "proxy_read_timeout 80s;"),
        (TIMING + "#: host.timing.p99_seconds = 9.0\n", "proxy_read_timeout 60s;"),
    ],
)
def test_requests_seen_to_take_longer_are_told(said: str, fix: str) -> None:
    """A request that runs longer, or the p99 of the timing log, shows that good ones fail."""
    assert [fix] == [one.fix for one in found("NGX105", written(said=said, location="proxy_read_timeout 8s;"))]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(written(location="proxy_connect_timeout 10s;"), id="10 s"),
        pytest.param(written(said="").replace("127.0.0.1:8000", "unix:/run/g.sock"), id="UNIX"),
        pytest.param(written(said="").replace("127.0.0.1:8000", "10.0.0.7:8000"), id="another host"),
        pytest.param(written(said="").replace("127.0.0.1:8000", "web:8000"), id="a name not known here"),
    ],
)
def test_a_connect_that_cannot_wait_on_this_host_is_no_finding(text: str) -> None:
    """NGX106 is about TCP on one host."""
    assert () == found("NGX106", text)


@pytest.mark.parametrize("address", ["[::1]:8000", "localhost:8000", "127.0.0.2:8000"])
def test_every_name_of_this_host_counts(address: str) -> None:
    """NGX106 knows loopback in all its spellings."""
    assert 1 == len(found("NGX106", written(said="").replace("127.0.0.1:8000", address)))


def test_no_timeout_is_told_once() -> None:
    """NGX107 is one setting, however many locations there are."""
    text = written(said=GTHREAD + "#: gunicorn.timeout = 0\n", more=beside("/api/", ""))

    assert 1 == len(found("NGX107", text))


@pytest.mark.parametrize(
    ("connections", "server"),
    [
        ("1024", ""),
        ("512", "keepalive_timeout 30s;"),
        ("512", 'keepalive_timeout 20s "1h";'),
        ("512", "keepalive_timeout 0;"),
    ],
)
def test_idle_clients_that_cost_little_are_no_finding(connections: str, server: str) -> None:
    """NGX108 needs few connections and a long time; the second argument is only told to the client."""
    text = written(server=server).replace("events {}", f"events {{ worker_connections {connections}; }}")

    assert () == found("NGX108", text)


def test_connections_are_added_where_none_are_written() -> None:
    """`events {}` in one line is written anew."""
    after = cured("NGX108", written(server="keepalive_timeout 75s;"))

    assert "events {\n    worker_connections 4096;\n}" in after


def test_a_health_check_may_be_short() -> None:
    """NGX101 leaves an exact location with a time of its own alone, as NGX105 does."""
    text = written(said=SYNC, more="location = /health {\nproxy_pass http://shop;\nproxy_read_timeout 1s;\n}")

    assert () == found("NGX101", text)
