"""NGX001 to NGX011 where they are easily wrong."""

from __future__ import annotations

import pytest

from gunicorn_autotune.nginx.rules.finding import Severity
from tests.nginx_rules import GTHREAD, KEPT, cured, found, written

TEN = GTHREAD + "#: gunicorn.keepalive = 10\n"
FITS = "keepalive 16; keepalive_timeout 4s;"
ELSEWHERE = "upstream node { server 127.0.0.1:3000; keepalive 8; least_conn; }"
MAP = "map $http_upgrade $connection_upgrade { default upgrade; '' close; }\n"
WEBSOCKET = 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'
SYNC = '#: gunicorn.worker_class = "sync"\n'


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(written(upstream="keepalive 32;"), id="not in effect"),
        pytest.param(written(upstream="keepalive 32;", location=KEPT, said=SYNC), id="sync closes"),
        pytest.param(
            written(upstream="keepalive 32;", location=KEPT, said=GTHREAD + "#: gunicorn.keepalive = 0\n"),
            id="Gunicorn keeps none",
        ),
        pytest.param(
            written(
                upstream="keepalive 8; keepalive_timeout 1m14s;",
                location=KEPT,
                said=GTHREAD + "#: gunicorn.keepalive = 75\n",
            ),
            id="74 s in two units",
        ),
        pytest.param(written(said='#: nginx = "1.30.0"\n' + GTHREAD, upstream="keepalive 0;"), id="switched off"),
        pytest.param(
            written(said='#: nginx = "1.30.0"\n' + GTHREAD, location="proxy_set_header Connection close;"),
            id="closed by header",
        ),
        pytest.param(
            written(http=ELSEWHERE, more="location /node/ { proxy_pass http://node; " + KEPT + " }"),
            id="another server's upstream",
        ),
    ],
)
def test_no_race_no_finding(text: str) -> None:
    """NGX001 is silent where none is kept, where nginx lets go first, and about servers that are no Gunicorn."""
    assert () == found("NGX001", text)


def test_the_race_of_new_nginx_needs_no_keepalive_line() -> None:
    """From 1.29.7 on an explicit upstream keeps connections by default."""
    text = written(said='#: nginx = "1.29.7"\n' + GTHREAD)

    assert [Severity.ERROR] == [one.level for one in found("NGX001", text)]


def test_the_race_is_told_once_for_an_upstream() -> None:
    """Two locations that lead to one upstream are one place to change."""
    more = "location /api/ { proxy_pass http://shop; " + KEPT + " }"

    assert 1 == len(found("NGX001", written(upstream="keepalive 32;", location=KEPT, more=more)))


@pytest.mark.parametrize(
    "said", ['#: gunicorn.worker_class = "gevent"\n', GTHREAD + '#: gunicorn.bind = ["[::1]:9"]\n']
)
def test_an_unproven_race_is_a_warning(said: str) -> None:
    """Event loops were not seen to lose any, and without a known address it may be another server's upstream."""
    assert [Severity.WARNING] == [
        one.level for one in found("NGX001", written(said=said, upstream="keepalive 32;", location=KEPT))
    ]


def test_old_nginx_cannot_let_go_first() -> None:
    """Before 1.15.3 the fix is no timeout, which would be refused."""
    text = written(said='#: nginx = "1.14.0"\n' + TEN, upstream="keepalive 8;", location=KEPT)

    assert ["proxy_set_header Connection close;"] == [one.fix for one in found("NGX001", text)]


def test_gunicorn_that_leaves_no_room_is_changed_too() -> None:
    """With keepalive = 1 no whole second is left for nginx: the fix is a pair, and no edit of nginx's file."""
    (one,) = found("NGX001", written(said=GTHREAD + "#: gunicorn.keepalive = 1\n", upstream=FITS, location=KEPT))

    assert "keepalive = 10" in one.fix
    assert () == one.edits


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(written(said=SYNC, upstream=FITS), id="sync"),
        pytest.param(written(said='#: nginx = "1.30.0"\n' + TEN, upstream=FITS), id="by default in new nginx"),
        pytest.param(written(said=TEN, upstream=FITS, server=KEPT), id="inherited"),
        pytest.param(
            written(
                said=TEN,
                upstream=FITS,
                http="map $http_upgrade $up { default upgrade; '' ''; }",
                location="proxy_http_version 1.1; proxy_set_header Connection $up;",
            ),
            id="map",
        ),
        pytest.param(
            written(
                said=TEN,
                upstream=FITS,
                location=KEPT,
                http=MAP,
                more="location /ws/ { proxy_pass http://shop; proxy_http_version 1.1; "
                "proxy_set_header Upgrade $http_upgrade; "
                "proxy_set_header Connection $connection_upgrade; }",
            ),
            id="websocket beside",
        ),
        pytest.param(written(said=TEN, upstream="keepalive 8; least_conn;", location=KEPT), id="NGX010"),
    ],
)
def test_a_keepalive_that_works_or_is_not_wanted_is_no_finding(text: str) -> None:
    """NGX002 is silent where the keepalive has effect, could have none, or another rule names the cause."""
    assert () == found("NGX002", text)


def test_the_empty_header_goes_beside_those_in_force() -> None:
    """One proxy_set_header in the location would drop the Host of the server."""
    text = written(said=TEN, upstream=FITS, server="proxy_set_header Host $host;\n")

    after = cured("NGX002", text)

    assert () == found("NGX002", after)
    assert '        proxy_set_header Connection "";\n    }\n}' in after


def test_the_map_of_the_websocket_guides_is_mended_in_its_row() -> None:
    """The header names a variable: what has to change is the map."""
    location = "proxy_http_version 1.1; proxy_set_header Connection $up;"
    text = written(
        said=TEN, upstream=FITS, location=location, http="map $http_upgrade $up {\ndefault upgrade;\n'' close;\n}"
    )

    assert () == found("NGX002", cured("NGX002", text))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(written(said=SYNC), id="sync"),
        pytest.param(written(said='#: gunicorn.version = "26.2.0"\n' + TEN), id="lossy Gunicorn"),
        pytest.param(written(said=TEN + '#: nginx = "1.30.0"\n', upstream="keepalive 0;"), id="meant"),
        pytest.param(written(said=TEN + '#: nginx = "1.30.0"\n'), id="by default"),
        pytest.param(
            written(
                said=TEN,
                upstream=FITS,
                location=KEPT,
                more="location /ws/ { proxy_pass http://127.0.0.1:8000; " + WEBSOCKET + " }",
            ),
            id="websocket",
        ),
        pytest.param(
            written(said=TEN, upstream=FITS, location=KEPT, more="location /n/ { proxy_pass http://127.0.0.1:3000; }"),
            id="another server",
        ),
    ],
)
def test_new_connections_are_no_finding_where_kept_ones_gain_nothing(text: str) -> None:
    """NGX003 is silent where keeping them is no gain, a loss, or somebody else's."""
    assert () == found("NGX003", text)


@pytest.mark.parametrize(
    ("passed", "expected"),
    [
        ("http://127.0.0.1:8000", "proxy_pass http://gunicorn;"),
        ("http://127.0.0.1:8000/app/", "proxy_pass http://gunicorn/app/;"),
        ("http://localhost:8000", "server 127.0.0.1:8000 fail_timeout=0;"),
        ("http://unix:/run/g.sock:/app/", "proxy_pass http://gunicorn/app/;"),
        ("http://unix:/run/g.sock", "server unix:/run/g.sock fail_timeout=0;"),
    ],
)
def test_an_address_becomes_an_upstream_with_its_uri_kept(passed: str, expected: str) -> None:
    """The new proxy_pass leads to the same place."""
    said = TEN + '#: gunicorn.bind = ["127.0.0.1:8000", "unix:/run/g.sock"]\n'
    text = f"{said}events {{}}\nhttp {{\nserver {{\nlocation /app/ {{\nproxy_pass {passed};\n}}\n}}\n}}\n"

    after = cured("NGX003", text)

    assert expected in after
    assert () == found("NGX003", after) + found("NGX002", after)


def test_an_upstream_gets_a_name_that_is_free() -> None:
    """`gunicorn` may be taken already."""
    text = TEN + (
        "events {}\nhttp {\nupstream gunicorn { server 127.0.0.1:9; }\n"
        "server {\nlocation / {\nproxy_pass http://127.0.0.1:8000;\n}\n}\n}\n"
    )

    assert "proxy_pass http://gunicorn2;" in cured("NGX003", text)


def test_the_app_does_not_see_the_name_of_the_new_upstream() -> None:
    """Without a Host header it would: an app that checks hosts would answer 400."""
    text = TEN + "events {}\nhttp {\nserver {\nlocation / {\nproxy_pass http://127.0.0.1:8000;\n}\n}\n}\n"

    assert "proxy_set_header Host $host;" in cured("NGX003", text)


@pytest.mark.parametrize(
    ("said", "named"),
    [
        (SYNC, "worker_class"),
        (GTHREAD + "#: gunicorn.keepalive = 0\n", "keepalive"),
        (GTHREAD + "#: gunicorn.worker_connections = 4\n", "worker_connections"),
    ],
)
def test_the_setting_that_closes_connections_is_named(said: str, named: str) -> None:
    """NGX004 tells why nothing is kept."""
    (one,) = found("NGX004", written(said=said, upstream="keepalive 8;", location=KEPT))

    assert one.gunicorn.startswith(f"{named} = ")


RANGE = TEN + "#: policy.min_workers = 2\n#: policy.max_workers = 8\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(written(said=TEN, upstream=FITS, location=KEPT), id="no autotune"),
        pytest.param(
            written(said=RANGE + '#: policy.mode = "observe"\n', upstream=FITS, location=KEPT), id="observing"
        ),
        pytest.param(written(said=RANGE.replace("8\n", "2\n"), upstream=FITS, location=KEPT), id="one size"),
        pytest.param(written(said=RANGE, upstream=FITS + "keepalive_time 10s;", location=KEPT), id="10 s"),
        pytest.param(written(said=RANGE, upstream=FITS + "keepalive_requests 100;", location=KEPT), id="100 requests"),
        pytest.param(written(said=RANGE + '#: nginx = "1.18.0"\n', upstream=FITS, location=KEPT), id="nginx 1.18"),
    ],
)
def test_connections_that_end_or_a_pool_that_stays_are_no_finding(text: str) -> None:
    """NGX005 is silent where no worker comes, and where connections end soon."""
    assert () == found("NGX005", text)


def test_the_range_of_workers_is_told_as_what_gunicorn_says() -> None:
    """It is why the connections must end."""
    (one,) = found("NGX005", written(said=RANGE, upstream=FITS, location=KEPT))

    assert one.gunicorn == "autotune min_workers = 2, max_workers = 8"


def test_old_nginx_is_told_in_requests() -> None:
    """keepalive_time is unknown before 1.19.10."""
    text = written(said=RANGE + '#: nginx = "1.18.0"\n', upstream=FITS + "keepalive_requests 1000;", location=KEPT)

    assert ["keepalive_requests 100;    # in upstream shop"] == [one.fix for one in found("NGX005", text)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            written(
                said=TEN + "#: gunicorn.workers = 64\n", main="worker_processes auto;", upstream=FITS, location=KEPT
            ),
            id="CPUs not known",
        ),
        pytest.param(written(said='#: gunicorn.worker_class = "gevent"\n', upstream=FITS, location=KEPT), id="gevent"),
        pytest.param(written(said=TEN + '#: gunicorn.workers = 64\n#: nginx = "1.30.0"\n'), id="nothing written"),
        pytest.param(
            written(
                said=TEN + "#: gunicorn.workers = 900\n", upstream="keepalive 128;keepalive_timeout 4s;", location=KEPT
            ),
            id="what render gives at most",
        ),
    ],
)
def test_a_number_that_cannot_be_judged_is_no_finding(text: str) -> None:
    """NGX006 does not guess."""
    assert () == found("NGX006", text)


def test_too_few_for_the_most_workers_only_is_information() -> None:
    """Today's load is covered; that of a grown pool is not."""
    text = written(said=RANGE, upstream="keepalive 8; keepalive_timeout 4s;", location=KEPT)

    assert [Severity.INFO] == [one.level for one in found("NGX006", text)]


def test_event_loops_that_idle_connections_fill_up_are_a_warning() -> None:
    """An event loop counts idle connections against worker_connections."""
    text = written(said='#: gunicorn.worker_class = "gevent"\n', upstream="keepalive 1024;", location=KEPT)

    assert [Severity.WARNING] == [one.level for one in found("NGX006", text)]


@pytest.mark.parametrize("workers", ["worker_processes 1;", "worker_processes auto;"], ids=["one", "cpus-unknown"])
@pytest.mark.parametrize(("connections", "level"), [(995, []), (996, [Severity.INFO])])
def test_a_gthread_keeps_its_connections_less_its_threads(
    workers: str, connections: int, level: list[Severity]
) -> None:
    """1,000 of one worker, 4 of them in use; nginx has one worker at least."""
    text = written(said=TEN, main=workers, upstream=f"keepalive {connections}; keepalive_timeout 4s;", location=KEPT)

    assert level == [one.level for one in found("NGX006", text)]


@pytest.mark.parametrize(("connections", "level"), [(999, []), (1000, [Severity.WARNING])])
def test_an_event_loop_is_full_of_idle_connections_at_its_limit(connections: int, level: list[Severity]) -> None:
    """worker_connections is 1,000 unless somebody chose another."""
    text = written(said='#: gunicorn.worker_class = "gevent"\n', upstream=f"keepalive {connections};", location=KEPT)

    assert level == [one.level for one in found("NGX006", text)]


@pytest.mark.parametrize(("version", "said"), [("23.0.0", "loses requests"), ("26.2.0", "may lose requests")])
def test_what_recycles_lose_is_certain_only_where_nothing_cures_it(version: str, said: str) -> None:
    """From 25.3.0 on giving up kept connections does."""
    assert f" {said} " in found("NGX007", recycling(version, more=OWN + TUNED))[0].message


@pytest.mark.parametrize(
    ("version", "slow"), [("23.0.0", False), ("24.0.0", True), ("26.2.0", True), ("27.0.0", False)]
)
def test_only_versions_that_wait_for_idle_connections_are_slow_to_leave(version: str, slow: bool) -> None:
    """24.0.0 the first, 27.0.0 the first that no longer does."""
    assert slow == ("graceful_timeout 30 s" in found("NGX007", recycling(version, more=OWN))[0].message)


def recycling(version: str, *, more: str = "") -> str:
    """A gthread of a version with kept connections."""
    return written(said=f'#: gunicorn.version = "{version}"\n{TEN}{more}', upstream=FITS, location=KEPT)


OWN, TUNED = "#: gunicorn.max_requests = 1000\n", "#: policy.max_workers = 8\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(recycling("27.0.1", more=OWN), id="it lingers"),
        pytest.param(recycling("26.2.0"), id="nothing recycles"),
        pytest.param(written(said=f'#: gunicorn.version = "26.2.0"\n{TEN}{OWN}'), id="26.2, none kept"),
        pytest.param(written(said=f'#: gunicorn.version = "23.0.0"\n{SYNC}{OWN}'), id="sync"),
    ],
)
def test_a_worker_that_leaves_without_loss_is_no_finding(text: str) -> None:
    """NGX007 is silent where none was lost."""
    assert () == found("NGX007", text)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        pytest.param(recycling("23.0.0", more=OWN), Severity.ERROR, id="23, its own"),
        pytest.param(recycling("26.2.0", more=OWN), Severity.ERROR, id="26.2, its own"),
        pytest.param(recycling("26.2.0", more=OWN + TUNED), Severity.WARNING, id="26.2, owned by autotune"),
        pytest.param(
            recycling("26.2.0", more=OWN + TUNED + '#: policy.max_requests_owner = "gunicorn"\n'),
            Severity.ERROR,
            id="26.2, left to Gunicorn",
        ),
        pytest.param(written(said=f'#: gunicorn.version = "23.0.0"\n{TEN}{OWN}'), Severity.WARNING, id="23, none kept"),
    ],
)
def test_losses_are_as_bad_as_they_were_measured(text: str, level: Severity) -> None:
    """NGX007 is an error only where Gunicorn drops kept connections by itself."""
    assert [level] == [one.level for one in found("NGX007", text)]


@pytest.mark.parametrize(("upstream", "line"), [(FITS, "keepalive 16;"), ("", "upstream shop {")])
def test_the_loss_is_told_where_it_is_mended(upstream: str, line: str) -> None:
    """At the line that keeps connections, else at the upstream."""
    text = written(said=f'#: gunicorn.version = "23.0.0"\n{TEN}{OWN}', upstream=upstream, location=KEPT)

    assert line in text.splitlines()[found("NGX007", text)[0].line - 1]


@pytest.mark.parametrize(("idle", "told"), [("4s", True), ("1s", False)])
def test_slow_drains_are_told_where_they_happen(idle: str, told: bool) -> None:
    """24.0.0 to 26.2.0 wait for idle connections; nginx's second ends that wait."""
    text = written(
        said=f'#: gunicorn.version = "25.3.0"\n{TEN}{OWN}',
        upstream=f"keepalive 16; keepalive_timeout {idle};",
        location=KEPT,
    )

    assert told == ("graceful_timeout 30 s" in found("NGX007", text)[0].message)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(written(location="proxy_next_upstream error non_idempotent;"), id="nothing to try next"),
        pytest.param(
            written(said=SYNC, upstream="keepalive 8;", location=KEPT + "proxy_next_upstream non_idempotent;"),
            id="sync keeps none",
        ),
        pytest.param(written(said=TEN, upstream=FITS, location=KEPT + "proxy_next_upstream off;"), id="no race"),
        pytest.param(written(said="", upstream=FITS, location=KEPT + "proxy_next_upstream off;"), id="no Gunicorn"),
    ],
)
def test_retries_that_cannot_happen_or_are_not_needed_are_no_finding(text: str) -> None:
    """NGX008 is silent without a second try, and where `off` hides nothing."""
    assert () == found("NGX008", text)


@pytest.mark.parametrize("upstream", ["server 127.0.0.1:8001;", "server localhost:8001 backup;"])
def test_a_post_may_be_repeated_on_another_server(upstream: str) -> None:
    """No kept connection is needed for that, and no Gunicorn known."""
    text = written(said="", upstream=upstream, location="proxy_next_upstream error timeout non_idempotent;")

    assert ["proxy_next_upstream error timeout;"] == [one.fix for one in found("NGX008", text)]


def test_off_beside_the_race_is_told() -> None:
    """nginx no longer hides the GETs that fail."""
    text = written(upstream="keepalive 32;", location=KEPT + "proxy_next_upstream off;")

    assert "keepalive_timeout 1s;    # in upstream shop" in found("NGX008", text)[0].fix


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(written(upstream="keepalive 32;", location=KEPT), id="race open"),
        pytest.param(written(said='#: gunicorn.version = "27.0.0"\n' + TEN, upstream=FITS, location=KEPT), id="27.0.0"),
        pytest.param(written(said=TEN, upstream=FITS + "server 127.0.0.1:8001;", location=KEPT), id="two servers"),
        pytest.param(written(said=TEN, upstream=FITS, location=KEPT, server="proxy_next_upstream off;"), id="off"),
        pytest.param(
            written(
                said=TEN,
                upstream=FITS,
                location=KEPT,
                server="proxy_next_upstream error timeout;",
                http="upstream two { server 127.0.0.1:1; server 127.0.0.1:2; }",
                more="location /two/ { proxy_pass http://two; }",
            ),
            id="line of two upstreams",
        ),
    ],
)
def test_retries_that_have_a_use_are_no_finding(text: str) -> None:
    """NGX009 speaks when nothing is left for a retry to cure."""
    assert () == found("NGX009", text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(written(said='#: nginx = "1.30.0"\n' + TEN, upstream="keepalive 8; least_conn;"), id="1.30"),
        pytest.param(written(said=SYNC, upstream="keepalive 8; least_conn;"), id="sync"),
        pytest.param(written(upstream="keepalive 8; zone shop 64k;"), id="no method"),
        pytest.param(
            written(http=ELSEWHERE, more="location /node/ { proxy_pass http://node; }"), id="another upstream"
        ),
    ],
)
def test_an_order_that_harms_nothing_is_no_finding(text: str) -> None:
    """NGX010 is silent where the order means nothing."""
    assert () == found("NGX010", text)


@pytest.mark.parametrize(
    ("version", "line", "fix"),
    [
        ("1.14.0", "keepalive_timeout 4s;", "# delete `keepalive_timeout 4s;`"),
        ("1.18.0", "keepalive_time 2s;", "keepalive_requests 100;"),
        ("1.29.6", "keepalive 0;", "# delete `keepalive 0;`"),
        ("1.22.1", "keepalive 32 local;", "keepalive 32;"),
    ],
)
def test_lines_of_a_newer_nginx_are_told_with_what_this_one_takes(version: str, line: str, fix: str) -> None:
    """NGX011 knows since when an upstream takes a line."""
    assert [fix] == [one.fix for one in found("NGX011", written(said=f'#: nginx = "{version}"\n', upstream=line))]


@pytest.mark.parametrize(
    ("version", "line"),
    [
        ("1.15.3", "keepalive_timeout 4s; keepalive_requests 5;"),
        ("1.19.10", "keepalive_time 2s;"),
        ("1.29.7", "keepalive 0;"),
        ("1.14.0", "keepalive 32;"),
    ],
)
def test_lines_this_nginx_knows_are_no_finding(version: str, line: str) -> None:
    """The first version that takes a line takes it."""
    assert () == found("NGX011", written(said=f'#: nginx = "{version}"\n', upstream=line))


@pytest.mark.parametrize(("version", "told"), [("1.29.3", 1), ("1.29.4", 0)])
def test_http2_towards_gunicorn_is_known_from_1_29_4_on(version: str, told: int) -> None:
    """Its change log."""
    text = written(said=f'#: nginx = "{version}"\n', location="proxy_http_version 2;")

    assert told == len(found("NGX011", text))


def test_what_nginx_accepted_is_not_doubted() -> None:
    """A vendor's nginx may have it earlier."""
    said = '#: nginx = "1.18.0"\n#: host.test.passed = true\n#: host.test.output = ""\n'

    assert () == found("NGX011", written(said=said, upstream="keepalive_time 2s;"))


def test_http2_becomes_a_word_of_listen() -> None:
    """Before 1.25.1 there is no directive for it."""
    text = written(said="", server="listen [::]:443 ssl;\nhttp2 on;\n")

    assert "listen [::]:443 ssl http2;" in cured("NGX011", text)


def test_a_map_that_says_close_for_all_but_websockets_gets_a_row() -> None:
    """`Connection ""` in the location would end the websockets."""
    head = "map $http_upgrade $how {\ndefault close;\nwebsocket upgrade;\n}\nupstream shop {\nserver 127.0.0.1:8000;\n"
    inner = "proxy_pass http://shop;\nproxy_http_version 1.1;\nproxy_set_header Connection $how;"
    text = (
        f"{TEN}events {{}}\nhttp {{\n{head}keepalive 8;\nkeepalive_timeout 4s;\n}}\nserver {{\nlocation / {{\n{inner}"
    )
    text += "\nproxy_set_header Upgrade $http_upgrade;\n}\n}\n}\n"

    after = cured("NGX002", text)

    assert ("'' '';" in after, "proxy_set_header Connection $how;" in after) == (True, True)


@pytest.mark.parametrize("rule", ["NGX002", "NGX010"])
def test_a_gunicorn_that_loses_kept_requests_is_not_told_to_keep_them(rule: str) -> None:
    """Before 27.0.1 a keepalive without effect is the better one."""
    said = '#: gunicorn.worker_class = "gthread"\n#: gunicorn.version = "25.3.0"\n#: gunicorn.keepalive = 75\n'
    shop = "upstream shop {\nserver 127.0.0.1:8000;\nkeepalive 8;\nleast_conn;\n}\n"
    answers = found(
        rule, f"{said}events {{}}\nhttp {{\n{shop}server {{\nlocation / {{\nproxy_pass http://shop;\n}}\n}}\n}}\n"
    )

    assert [(one.level.value, one.edits) for one in answers] == [("info", ())]


def test_no_second_connection_header_is_put_beside_that_of_a_map() -> None:
    """nginx would send both, and close as before."""
    head = "map $http_upgrade $how {\ndefault upgrade;\n'' close;\n}\nupstream shop {\nserver 127.0.0.1:8000;\n}\n"
    inner = "proxy_pass http://shop;\nproxy_http_version 1.1;\nproxy_set_header Connection $how;"
    answers = found("NGX003", f"{TEN}events {{}}\nhttp {{\n{head}server {{\nlocation / {{\n{inner}\n}}\n}}\n}}\n")

    assert [one.edits for one in answers] == [()]


def test_an_nginx_that_never_lets_go_is_not_made_to_keep_connections() -> None:
    """Before 1.15.3 there is no time to set."""
    text = written(said=GTHREAD + '#: nginx = "1.14.0"\n', upstream="keepalive 8;")

    assert [()] == [one.edits for one in found("NGX002", text)]
