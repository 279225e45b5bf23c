"""NGX401 to NGX404 where they are easily wrong."""

from __future__ import annotations

import pytest

from gunicorn_autotune.nginx.rules.finding import Severity
from tests.nginx_rules import GTHREAD, cured, found, written

ELSEWHERE = "upstream node { server 127.0.0.1:3000; }"
STREAM = "location /events { proxy_pass http://shop; proxy_buffering off; }"
ZONES = "limit_req_zone $binary_remote_addr zone=one:1m rate=1r/s; limit_conn_zone $server_name zone=all:1m;"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(written(more=STREAM), id="a stream in its own location"),
        pytest.param(written(said='#: gunicorn.worker_class = "gevent"\n', server="proxy_buffering off;"), id="gevent"),
        pytest.param(
            written(http=ELSEWHERE, more="location /node/ { proxy_pass http://node; proxy_buffering off; }"),
            id="another server",
        ),
        pytest.param(written(http="proxy_buffering off;", server="proxy_buffering on;"), id="on further in"),
    ],
)
def test_answers_that_are_buffered_or_streamed(text: str) -> None:
    """NGX401 leaves streams, other servers and event loops alone."""
    assert () == found("NGX401", text)


def test_unbuffered_answers_of_one_part_are_only_mentioned() -> None:
    """Somebody chose it for `/api/`: it may stream."""
    text = written(more="location /api/ { proxy_pass http://shop; proxy_buffering off; }")

    assert [Severity.INFO] == [one.level for one in found("NGX401", text)]


def test_a_line_is_told_once_for_all_its_locations() -> None:
    """One `off` in http is one place to change."""
    text = written(http="proxy_buffering off;", more="location /api/ { proxy_pass http://shop; }")

    assert 1 == len(found("NGX401", text))


def test_a_fix_leaves_streams_as_they_are() -> None:
    """The `off` above stays where a stream inherits it; the others get an `on` of their own."""
    text = written(http="proxy_buffering off;", more="location /events { proxy_pass http://shop; }")

    assert ["proxy_buffering off;", "proxy_buffering on;"] == [
        line.strip() for line in cured("NGX401", text).splitlines() if "proxy_buffering" in line
    ]


def test_an_if_around_the_pass_takes_the_location_s_setting() -> None:
    """`if` knows no proxy_buffering: the line goes into the location."""
    text = written(
        http="proxy_buffering off;",
        more="location /ws { proxy_pass http://shop; }\nlocation ~ ^/x {\nif ($a) {\nproxy_pass http://shop;\n}\n}",
    )

    assert () == found("NGX401", cured("NGX401", text))


def test_uploads_of_the_whole_site_are_an_error() -> None:
    """As many slow uploads as threads stop everything."""
    text = written(server="proxy_request_buffering off;")

    assert [(Severity.ERROR, True)] == [
        (one.level, "Gunicorn has 4 (1 worker x 4)" in one.message) for one in found("NGX402", text)
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            written(more="location /upload { proxy_pass http://shop; proxy_request_buffering off; }"), id="one part"
        ),
        pytest.param(written(said="", server="proxy_request_buffering off;"), id="Gunicorn unknown"),
    ],
)
def test_uploads_of_a_part_are_a_warning(text: str) -> None:
    """It may be meant, or the workers may bear it: no error."""
    assert [Severity.WARNING] == [one.level for one in found("NGX402", text)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(written(http="client_max_body_size 5m;"), id="above"),
        pytest.param(
            written(more="location /upload { proxy_pass http://shop; client_max_body_size 1g; }"), id="where needed"
        ),
        pytest.param(written(server="client_max_body_size $most;"), id="a variable"),
    ],
)
def test_a_chosen_size_is_no_finding(text: str) -> None:
    """NGX403 asks for a choice, not for a number."""
    assert () == found("NGX403", text)


def test_no_limit_at_all_is_told_where_it_is_lifted() -> None:
    """`0` takes everything."""
    text = written(http="client_max_body_size 0;")

    assert ["client_max_body_size 20m;"] == [one.fix.partition("    ")[0] for one in found("NGX403", text)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(written(http=ZONES, location="limit_req zone=one; limit_req_status 429;"), id="429"),
        pytest.param(written(http=ZONES, location="limit_req zone=one; limit_req_status 444;"), id="444"),
        pytest.param(written(http=ZONES, location="limit_conn all 100;"), id="all clients together"),
        pytest.param(written(http=ZONES, location="limit_req zone=one; limit_req_dry_run on;"), id="dry run"),
        pytest.param(written(http=ZONES + "limit_req_status 429;", server="limit_req burst=5 zone=one;"), id="above"),
    ],
)
def test_limits_that_answer_well(text: str) -> None:
    """429 for one client, 503 where it is the truth."""
    assert () == found("NGX404", text)


def test_limits_of_several_locations_are_told_once() -> None:
    """The line in the server is the place to change."""
    text = written(http=ZONES, server="limit_req zone=one;", more="location /api/ { proxy_pass http://shop; }")

    assert [Severity.WARNING] == [one.level for one in found("NGX404", text)]


def test_no_limit_is_only_mentioned() -> None:
    """Something in front may have one."""
    assert [Severity.INFO] == [one.level for one in found("NGX404", written(said=GTHREAD))]


def test_an_off_in_the_location_itself_is_not_patched() -> None:
    """What streams there would be stuck in nginx's buffers."""
    assert [()] == [one.edits for one in found("NGX401", written(location="proxy_buffering off;"))]
