"""NGX701 to NGX708 and NGX801 where they are easily wrong."""

from __future__ import annotations

import json

import pytest

from gunicorn_autotune.nginx.rules.finding import Severity
from gunicorn_autotune.nginx.site import defaults
from tests.nginx_rules import GTHREAD, cured, found, written

TIMED = "log_format timed '$status $upstream_response_time';"
DOWN = "location = /50x.html { root /srv; }"
STATUS = "location /status { stub_status; %s }"
TLS = "ssl_certificate a.pem; ssl_certificate_key a.key;"
SECURE = f"server {{ listen 443 ssl; server_name shop.example; {TLS} location / {{ proxy_pass http://shop; }} }}"
NEW = '#: nginx = "1.30.4"\n'


def refused(output: str) -> str:
    """A configuration that `nginx -t` said this about; it passes with mere warnings."""
    passed = str("[warn]" in output).lower()
    return written(said=f"#: host.test = {{passed = {passed}, output = {json.dumps(output)}}}\n")


def test_a_message_points_to_its_line() -> None:
    """nginx says where."""
    said = 'nginx: [emerg] "sendfile" directive is duplicate in /etc/nginx/conf.d/a.conf:7'

    assert [("/etc/nginx/conf.d/a.conf", 7, Severity.ERROR)] == [
        (one.file, one.line, one.level) for one in found("NGX701", refused(said))
    ]


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        ('[emerg] unknown directive "lua" in /etc/nginx/a.conf:7', "has no lua: take it out"),
        ('[emerg] "gzip" directive is duplicate in /etc/nginx/a.conf:7', "take gzip out of /etc/nginx/a.conf:7"),
        ('[emerg] "user" directive is not allowed here in /etc/nginx/a.conf:7', "take user out of /etc/nginx/a.conf;"),
        ('[emerg] host not found in upstream "web:8000" in /etc/nginx/a.conf:7', "write an address"),
        ("[emerg] no events in /etc/nginx/a.conf:7", "nginx -t "),
    ],
)
def test_every_refusal_comes_with_what_to_do(said: str, fix: str) -> None:
    """At least to look again."""
    assert [True] == [fix in one.fix for one in found("NGX701", refused(f"nginx: {said}"))]


@pytest.mark.parametrize(
    "said",
    [
        'nginx: [emerg] host not found in upstream "web:8000" in /etc/nginx/nginx.conf:3',
        '2026/11/21 20:09:12 [warn] 9466#9466: duplicate MIME type "text/html" in /etc/nginx/nginx.conf:6',
    ],
)
def test_what_may_be_another_host_s_is_a_warning(said: str) -> None:
    """A container's name resolves in its network; a warning is one of nginx's own."""
    assert [Severity.WARNING] == [one.level for one in found("NGX701", refused(said))]


def test_missing_rights_are_no_fault_of_the_configuration() -> None:
    """`nginx -t` of an ordinary user."""
    said = 'nginx: [emerg] open() "/run/nginx.pid" failed (13: Permission denied)'

    assert [Severity.INFO] == [one.level for one in found("NGX701", refused(said))]


def test_a_failure_without_a_known_message_is_still_one() -> None:
    """Whatever nginx said, it would not start."""
    assert [Severity.ERROR] == [one.level for one in found("NGX701", refused("cannot load something"))]


def test_a_message_written_to_terminal_and_log_is_told_once() -> None:
    """nginx prints it twice."""
    what = "bind() to 0.0.0.0:80 failed (98: Address already in use)"
    said = f"nginx: [emerg] {what}\n2026/11/21 20:09:12 [emerg] 1#1: {what}"

    assert 1 == len(found("NGX701", refused(said)))


def changed(seconds: float) -> str:
    """A configuration whose file changed so long after nginx read it."""
    return written(
        said='#: host.test = {passed = true, output = ""}\n#: host.nginx_started_unix_seconds = 1000.0\n'
        f'#: host.changed_unix_seconds = {{"/etc/nginx/nginx.conf" = {1000.0 + seconds}}}\n'
    )


def test_a_reload_right_after_the_change_has_loaded_it() -> None:
    """A start is known to about a second."""
    assert () == found("NGX702", changed(1.5))


def test_a_change_that_waits_tells_for_how_long() -> None:
    """In a unit that can be read."""
    assert "3 hours" in found("NGX702", changed(3 * 3600.0))[0].message


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(written(server="error_page 502 504 /50x.html;", more=DOWN), id="a page of nginx"),
        pytest.param(written(http="error_page 500 502 503 504 /50x.html;", more=DOWN), id="from above"),
        pytest.param(
            written(server="error_page 502 504 =503 @down;", more="location @down { return 503; }"), id="named"
        ),
        pytest.param(written(server="error_page 502 504 https://status.example/;"), id="elsewhere"),
        pytest.param(
            written(server="error_page 502 504 /e/50x.html;", more="location /e/ { root /srv; internal; }"), id="folder"
        ),
    ],
)
def test_pages_that_can_be_shown(text: str) -> None:
    """NGX703 follows the page to the location that nginx would choose."""
    assert () == found("NGX703", text)


def test_an_error_page_of_the_location_hides_those_above() -> None:
    """One for 404 drops the one for 502."""
    text = written(server="error_page 502 504 /50x.html;", more=DOWN, location="error_page 404 /404.html;")

    assert ["while Gunicorn is down visitors get nginx's bare page for 502 and 504"] == [
        one.message for one in found("NGX703", text)
    ]


def test_a_page_that_gunicorn_would_have_to_serve() -> None:
    """Measured on nginx 1.22.1: the visitor gets the bare 502."""
    assert ["/50x.html comes from Gunicorn, which is down at that moment: visitors get the bare page"] == [
        one.message for one in found("NGX703", written(server="error_page 502 504 /50x.html;"))
    ]


def test_the_page_s_location_is_not_written_twice() -> None:
    """nginx refuses a second location of the same name."""
    assert "location" not in found("NGX703", written(more=DOWN))[0].fix


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(written(more=STATUS % "allow 10.0.0.0/8; deny all;"), id="addresses"),
        pytest.param(written(server="allow 10.0.0.0/8; deny all;", more=STATUS % ""), id="addresses of the server"),
        pytest.param(written(more=STATUS % "auth_basic closed; auth_basic_user_file f;"), id="password"),
        pytest.param(written(more=STATUS % "if ($remote_addr != 10.0.0.1) { return 403; }"), id="if"),
        pytest.param(
            "events {} http { server { listen 127.0.0.1:8081; location /s { stub_status; } } }", id="loopback"
        ),
        pytest.param(
            "events {} http { server { listen unix:/run/s; location /s { stub_status; } } }", id="UNIX socket"
        ),
        pytest.param(
            written(more="location /metrics-of-success { proxy_pass http://shop; }"), id="a page by that name"
        ),
    ],
)
def test_status_pages_that_strangers_do_not_see(text: str) -> None:
    """NGX704 takes every kind of door for one."""
    assert () == found("NGX704", text)


@pytest.mark.parametrize(
    ("listen", "level"), [("80", Severity.ERROR), ("443 ssl", Severity.ERROR), ("444", Severity.WARNING)]
)
def test_a_status_page_on_a_port_that_strangers_use_is_an_error(listen: str, level: Severity) -> None:
    """Elsewhere a firewall may stand before it."""
    text = f"events {{}} http {{ server {{ listen {listen}; location /s {{ stub_status; }} }} }}"

    assert [level] == [one.level for one in found("NGX704", text)]


def test_allow_alone_forbids_nothing() -> None:
    """Without `deny all` the list has no end."""
    text = written(more="location /status {\nstub_status;\nallow 127.0.0.1;\n}")

    assert ([Severity.ERROR], ()) == (
        [one.level for one in found("NGX704", text)],
        found("NGX704", cured("NGX704", text)),
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("events {} http { server { listen 8081; location /s { stub_status; } } }", id="unusual port"),
        pytest.param(written(more="location /metrics { proxy_pass http://shop; }"), id="the application's metrics"),
    ],
)
def test_what_a_firewall_or_the_application_may_guard_is_a_warning(text: str) -> None:
    """No error where it is not sure."""
    assert [Severity.WARNING] == [one.level for one in found("NGX704", text)]


def test_autotune_s_own_figures_are_an_error() -> None:
    """Its address is known from its settings."""
    text = written(
        said='#: policy.metrics = "127.0.0.1:9877"\n', more="location /tune/ { proxy_pass http://127.0.0.1:9877/; }"
    )

    assert [Severity.ERROR] == [one.level for one in found("NGX704", text)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(written(http=TIMED + "access_log /a.log timed;"), id="timed"),
        pytest.param(written(http=TIMED, server="access_log /a.log; access_log /b.log timed;"), id="a second log"),
        pytest.param(written(server="access_log off;"), id="off"),
        pytest.param(written(http="access_log /a.log unknown;"), id="a format that is not here"),
    ],
)
def test_logs_with_times(text: str) -> None:
    """NGX705 is content with one log that has the time, or a decision for none."""
    assert () == found("NGX705", text)


def test_the_format_comes_before_the_log_that_uses_it() -> None:
    """nginx refuses a format that it has not read yet."""
    after = cured("NGX705", written(server="\naccess_log /var/log/nginx/shop.log;\n"))

    assert after.index("log_format autotune ") < after.index("access_log /var/log/nginx/timing.log autotune;")


def test_a_format_that_is_there_is_not_written_again() -> None:
    """render's file may be included and not used."""
    text = written(http="log_format autotune '$request_time $upstream_response_time';\naccess_log /dev/stdout;")

    assert "access_log /dev/stdout autotune;" == found("NGX705", text)[0].fix


def logged(*lines: str, more: str = "") -> str:
    """A configuration whose error log ends so."""
    said = "".join(f"#:     '''{line}''',\n" for line in lines)
    return written(said=f"#: gunicorn.workers = 2\n#: host.error_log = [\n{said}#: ]\n", more=more)


SENT = 'client: 10.0.0.9, server: , request: "GET / HTTP/1.1", upstream: "http://127.0.0.1:8000/", host: "x"'


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("upstream timed out (110: Connection timed out) while reading response header from upstream", "NGX101"),
        ("upstream timed out (110: Connection timed out) while connecting to upstream", "NGX205"),
        ("upstream prematurely closed connection while reading response header from upstream", "NGX001"),
        ("writev() failed (32: Broken pipe) while sending request to upstream", "NGX001"),
        ("connect() failed (111: Connection refused) while connecting to upstream", "NGX201"),
        ("connect() to unix:/run/a.sock failed (2: No such file or directory) while connecting to upstream", "NGX201"),
        ("connect() to unix:/run/a.sock failed (13: Permission denied) while connecting to upstream", "NGX202"),
        ("connect() to unix:/run/a.sock failed (11: Resource temporarily unavailable) while connecting", "NGX205"),
        ("no live upstreams while connecting to upstream", "NGX203"),
        ("client intended to send too large body: 2097152 bytes", "NGX403"),
        ('limiting requests, excess: 20.500 by zone "one"', "NGX404"),
    ],
)
def test_a_complaint_leads_to_the_rule_that_explains_it(line: str, rule: str) -> None:
    """The sentences are nginx's own."""
    report = found("NGX706", logged(f"2026/11/20 10:11:12 [error] 7#7: *1 {line}, {SENT}"))

    assert [True] == [rule in one.message for one in report]


@pytest.mark.parametrize(
    "line",
    [
        f"writev() failed (32: Broken pipe) while sending to client, {SENT}",
        f"recv() failed (104: Connection reset by peer) while proxying upgraded connection, {SENT}",
        'open() "/srv/x" failed (2: No such file or directory), client: 10.0.0.9, server: , request: "GET /x"',
        "signal process started",
    ],
)
def test_clients_that_leave_are_no_complaint(line: str) -> None:
    """They do, and scanners ask for what is not there."""
    assert () == found("NGX706", logged(f"2026/11/20 10:11:12 [error] 7#7: *1 {line}"))


def test_another_server_s_failures_are_not_gunicorn_s() -> None:
    """The line names the server that was asked."""
    line = (
        "2026/11/20 10:11:12 [error] 7#7: *1 connect() failed (111: Connection refused) while connecting to upstream, "
    )
    other = "location /node/ { proxy_pass http://127.0.0.1:3000; }"

    assert () == found("NGX706", logged(line + 'upstream: "http://127.0.0.1:3000/node/"', more=other))


def test_a_kind_is_counted_once_with_its_last_time() -> None:
    """Three lines, one finding."""
    lines = [f"2026/11/20 10:11:1{at} [error] 7#7: *1 no live upstreams while connecting, {SENT}" for at in (1, 3, 2)]

    assert ["error log: 3 of the last 3 lines, the last at 2026/11/20 10:11:13"] == [
        one.message[:65] for one in found("NGX706", logged(*lines))
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(written(), id="no TLS anywhere"),
        pytest.param(
            written(http=SECURE.replace("listen", "ssl_protocols TLSv1.3; listen", 1), server="server_name a.example;"),
            id="another name",
        ),
        pytest.param(
            written(
                http=SECURE.replace("listen", "ssl_protocols TLSv1.2; listen", 1),
                server="server_name shop.example; if ($scheme = http) { return 301 https://$host$request_uri; }",
            ),
            id="sent on by an if",
        ),
        pytest.param(written(said='#: nginx = "1.27.3"\n', http=SECURE), id="new default"),
    ],
)
def test_visitors_that_come_over_tls(text: str) -> None:
    """NGX707 speaks of sites with TLS only, and of the same name on port 80."""
    assert () == found("NGX707", text)


def test_the_same_name_in_the_clear() -> None:
    """Passwords typed without https."""
    text = written(
        http=SECURE.replace("listen", "ssl_protocols TLSv1.2; listen", 1), server="server_name shop.example;"
    )

    assert [Severity.WARNING] == [one.level for one in found("NGX707", text)]


@pytest.mark.parametrize(
    ("version", "shown"),
    [
        ("1.22.1", "TLSv1 TLSv1.1 TLSv1.2"),
        ("1.23.4", "TLSv1 TLSv1.1 TLSv1.2 TLSv1.3"),
        ("1.27.3", "TLSv1.2 TLSv1.3"),
    ],
)
def test_protocols_by_version(version: str, shown: str) -> None:
    """Change logs of 1.23.4 and 1.27.3."""
    assert shown == " ".join(defaults.of("ssl_protocols", version))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(written(), id="1.22.1 keeps none"),
        pytest.param(written(said=NEW + GTHREAD, upstream="keepalive 0;"), id="written down"),
        pytest.param(written(said=NEW + '#: gunicorn.worker_class = "sync"\n'), id="sync closes"),
        pytest.param(written(said=NEW + GTHREAD, location="proxy_set_header Connection close;"), id="closed by header"),
    ],
)
def test_connections_kept_by_no_accident(text: str) -> None:
    """NGX708 is about new nginx and silence."""
    assert () == found("NGX708", text)


def test_times_that_fit_are_only_mentioned() -> None:
    """Gunicorn keeps longer than nginx's 60 s."""
    text = written(said=NEW + GTHREAD + "#: gunicorn.keepalive = 75\n")

    assert [Severity.INFO] == [one.level for one in found("NGX708", text)]


def test_without_gunicorns_settings_the_fix_keeps_for_a_second() -> None:
    """Its keepalive is 2 s unless somebody chose another."""
    assert ["keepalive 32;\nkeepalive_timeout 1s;"] == [one.fix for one in found("NGX708", written(said=NEW))]


@pytest.mark.parametrize("said", ['#: gunicorn.version = "26.2.0"\n', "#: gunicorn.keepalive = 1\n"])
def test_where_keeping_costs_requests_the_fix_keeps_none(said: str) -> None:
    """gthread before 27.0.1 loses kept requests, and 1 s leaves nginx no room."""
    assert ["keepalive 0;"] == [one.fix for one in found("NGX708", written(said=NEW + GTHREAD + said))]


def timed(p99: float, request: float, *, connect: float = 0.001, limit: str = "none", requests: int = 5000) -> str:
    """A configuration with a timing log and a running server."""
    return written(
        said=f"#: host.timing = {{requests = {requests}, p50_seconds = 0.02, p99_seconds = {p99}, "
        f'connect_p99_seconds = {connect}, request_p99_seconds = {request}}}\n#: status.bottleneck = "{limit}"\n'
    )


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (timed(2.0, 2.1), "application"),
        (timed(0.1, 3.0), "at the client"),
        (timed(2.0, 2.1, limit="workers"), "queue"),
        (timed(2.0, 2.1, connect=1.0), "queue"),
        (timed(0.1, 0.1, limit="downstream"), "database"),
        (timed(2.0, 2.1, limit="cpu"), "CPU"),
    ],
)
def test_where_the_time_goes(text: str, verdict: str) -> None:
    """What the controller measured counts before what the log suggests."""
    assert [verdict] == [one.message.partition(":")[0] for one in found("NGX801", text)]


@pytest.mark.parametrize("text", [timed(0.3, 0.4), timed(2.0, 2.1, requests=20)])
def test_no_verdict_without_a_case(text: str) -> None:
    """Quick enough, or too few to tell."""
    assert () == found("NGX801", text)
