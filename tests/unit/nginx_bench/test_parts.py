"""The small parts of the nginx benchmark: what nginx is told, what wrk says, what takes whose place."""

import pytest
from benchmarks.faults.options import NotRunError
from benchmarks.nginx import changes, gain, kept
from benchmarks.nginx.__main__ import main
from benchmarks.nginx.front import DEFAULTS, GUIDE, OFF, OURS, Site, http_of
from benchmarks.nginx.options import MATRIX, Options, installed
from benchmarks.nginx.plain import TCP, UNIX, Plain, free_ports

WRK = """Running 2s test @ http://127.0.0.1:1/a/
    99%   {p99}
  9944 requests in 2.00s, 1.99MB read
{more}Requests/sec:   4970.52
"""
TIME_WAITS = """  sl  local_address rem_address   st tx_queue rx_queue
   0: 0100007F:1F40 0100007F:D431 06 00000000:00000000
   1: 0100007F:D432 0100007F:1F40 06 00000000:00000000
   2: 0100007F:1F40 0100007F:D433 01 00000000:00000000
   3: 0100007F:1F41 0100007F:D434 06 00000000:00000000
"""


def test_a_kept_site_has_all_that_keeping_needs():
    """The pool, HTTP/1.1 and an empty Connection header: without one of them nothing is kept."""
    text = http_of([Site("a", "unix:/run/a.sock", OURS)], 8080)

    assert f"upstream a {{ server unix:/run/a.sock; {OURS.pool} }}" in text
    assert 'proxy_pass http://a; proxy_http_version 1.1; proxy_set_header Connection "";' in text
    assert "proxy_next_upstream off;" in text
    assert text.count("{") + 1 == text.count("}")


def test_a_site_that_is_not_kept_has_no_upstream_block():
    """From nginx 1.29.7 on a block alone would keep connections."""
    text = http_of([Site("a", "unix:/run/a.sock", OFF), Site("b", "127.0.0.1:8000", OFF)], 8080)

    assert "upstream" not in text
    assert "proxy_pass http://unix:/run/a.sock:;" in text
    assert "proxy_pass http://127.0.0.1:8000;" in text


def test_the_guides_pair_is_the_one_that_races():
    """Gunicorn's keepalive of 2 s against nginx's default of 60 s; ours is strictly above nginx's 4 s."""
    assert (GUIDE.gunicorn_keepalive, GUIDE.pool) == (2, "keepalive 32;")
    assert (OURS.gunicorn_keepalive, "keepalive_timeout 4s;" in OURS.pool) == (10, True)
    assert DEFAULTS.gunicorn_keepalive > 60


@pytest.mark.parametrize(("told", "seconds"), [("850.00us", 0.00085), ("6.30ms", 0.0063), ("1.20s", 1.2)])
def test_wrk_tells_p99_in_several_units(told, seconds):
    """Read as seconds."""
    found = gain.parsed(WRK.format(p99=told, more=""))

    assert found == {"per_second": 4970.52, "p99_seconds": pytest.approx(seconds), "failed": 0}


def test_what_wrk_calls_bad_has_failed():
    """Answers without a 2xx and broken connections."""
    more = "  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 5\n"

    assert gain.parsed(WRK.format(p99="1.00ms", more=more))["failed"] == 15


def test_wrk_without_figures_is_said():
    """Its own words are the reason."""
    with pytest.raises(NotRunError, match="unable to connect"):
        gain.parsed("unable to connect to 127.0.0.1:1 Connection refused")


def test_time_wait_is_counted_at_both_ends_of_one_port():
    """Whoever closed first."""
    assert gain.time_waits_in(TIME_WAITS, 8000) == 2


def test_medians_add_up_what_failed():
    """A failure in one run of three is not lost in a median."""
    runs = [{"per_second": rate, "failed": failed} for rate, failed in ((3.0, 0), (1.0, 2), (2.0, 0))]

    assert gain.medians(runs) == {"per_second": 2.0, "failed": 2}


@pytest.mark.parametrize(
    ("before", "part", "stays"),
    [
        ({"quick": False}, {"quick": True}, True),
        ({"quick": False}, {"not_run": "no nginx"}, True),
        ({"quick": True}, {"quick": False}, False),
        ({"quick": True}, {"quick": True, "newer": 1}, False),
        ({"not_run": "no nginx"}, {"quick": True}, False),
    ],
)
def test_a_lesser_run_never_takes_the_place_of_a_better_one(before, part, stays):
    """None below a short one, a short one below a whole one; the newer of two alike."""
    found = kept.joined({"cells": {"race": before}}, "race", part)

    assert found["cells"]["race"] == (before if stays else part)


def test_the_older_gunicorns_change_less_often():
    """The newest both ways, 200 changes in all; the others over UNIX."""
    options = Options(dict.fromkeys(MATRIX, "python"))
    found = changes.combinations(options)
    newest = [one for one in found if one.gunicorn == MATRIX[0]]

    assert sum(one.changes for one in newest) == changes.CHANGES
    assert {(one.worker_class, one.way) for one in newest} == {(k, w) for k in changes.KINDS for w in (TCP, UNIX)}
    assert {one.gunicorn for one in found} == set(MATRIX)
    assert all(one.way == UNIX and one.changes < newest[0].changes for one in found if one not in newest)


def test_no_gunicorn_at_all_is_said(tmp_path):
    """With the command that installs one."""
    with pytest.raises(NotRunError, match=r"make \.venv-gunicorn-27\.0\.1/\.ready"):
        installed(tmp_path)


def test_an_asgi_server_gets_the_asgi_app():
    """And its configuration is Python."""
    made = Plain("asgi", UNIX, 10, environment={"A": "b"})

    compile(made.config("unix:/a.sock"), "gunicorn.conf.py", "exec")
    assert (made.app, Plain("sync", TCP, 2).app) == ("asgi_answer:app", "answer:app")


def test_free_ports_are_all_different():
    """Asked for one by one the kernel may name one twice."""
    assert len(set(free_ports(50))) == 50


def test_an_unknown_cell_is_refused(capsys):
    """With those there are."""
    with pytest.raises(SystemExit):
        main(["--cells", "race,rase"])

    assert "--cells = rase, must be of race, scale, recycle, share, verify, gain, retry" in capsys.readouterr().err
