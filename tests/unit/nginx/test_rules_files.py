"""NGX501 to NGX508 where they are easily wrong."""

from __future__ import annotations

import pytest

from gunicorn_autotune.nginx.rules.finding import Severity
from tests.nginx_rules import cured, found, written

STATIC = "location /static/ { alias /srv/static/; %s }"
CACHE = "open_file_cache max=100 inactive=30s;"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(written(more=STATIC % ""), id="alias"),
        pytest.param(written(more="location ~* \\.(css|js)$ { root /srv; }"), id="by extension"),
        pytest.param(written(server="server_name api.shop.example;"), id="an API"),
        pytest.param(written(location="proxy_cache pages;"), id="cached"),
        pytest.param(
            written(more="location ^~ /static/ { proxy_pass http://cdn.example; }\nlocation /pub/ { root /srv; }"),
            id="another server has them",
        ),
        pytest.param(
            """events {} http { upstream shop { server 127.0.0.1:8000; } server { root /srv/public;
            location / { try_files $uri @app; } location @app { proxy_pass http://shop; } } }""",
            id="files first",
        ),
        pytest.param(
            """events {} http { upstream shop { server 127.0.0.1:8000; } server { root /srv/public;
            location / { if (!-f $request_filename) { proxy_pass http://shop; break; } } } }""",
            id="files first, the old way",
        ),
        pytest.param(
            "events {} http { server { location /api/ { proxy_pass http://127.0.0.1:8000; } } }", id="a part only"
        ),
    ],
)
def test_files_that_nginx_serves(text: str) -> None:
    """NGX501 is silent where files come from somewhere else than Gunicorn, or there are none."""
    assert () == found("NGX501", text)


def test_a_server_without_files_is_only_mentioned() -> None:
    """The application may have none."""
    text = written(more="location = /favicon.ico { root /srv; }\nlocation /.well-known/ { root /srv; }")

    assert [Severity.INFO] == [one.level for one in found("NGX501", text)]


def test_the_fix_names_gunicorn_s_folder() -> None:
    """The application's files lie where Gunicorn runs."""
    text = written(said='#: gunicorn.chdir = "/srv/shop"\n', more="location /assets/ { proxy_pass http://shop; }")

    assert "alias /srv/shop/assets/;" in found("NGX501", text)[0].fix


@pytest.mark.parametrize(
    "location",
    [
        "location /static/ { alias /srv/static/; }",
        "location = /robots.txt { alias /srv/robots.txt; }",
        "location =/robots.txt { alias /srv/robots.txt; }",
        "location ~ ^/static/(.*)$ { alias /srv/static/$1; }",
        "location /user { alias /srv/$remote_user; }",
        "location /protected { internal; alias /srv/protected/; }",
        "location /static { root /srv; }",
        'location "/static/" { alias "/srv/my static/"; }',
    ],
)
def test_aliases_that_let_nothing_out(location: str) -> None:
    """NGX502 leaves matching slashes, exact, internal and expression locations alone, and what a variable decides."""
    assert () == found("NGX502", written(more=location))


@pytest.mark.parametrize(
    ("location", "level"),
    [
        ("location /static { alias /srv/static/; }", Severity.ERROR),
        ("location ^~ /static { alias /srv/$host/; }", Severity.ERROR),
        ("location /static/ { alias /srv/static; }", Severity.ERROR),
        ("location /static/ { alias /srv/static; try_files $uri =404; }", Severity.WARNING),
        ("location /static { alias /srv/static; }", Severity.WARNING),
        ("location /robots.txt { alias /srv/robots.txt; }", Severity.INFO),
    ],
)
def test_aliases_that_do(location: str, level: Severity) -> None:
    """An error where the folder above is handed out or nothing is found, less where only neighbours are."""
    assert [level] == [one.level for one in found("NGX502", written(more=location))]


def test_a_single_file_becomes_an_exact_location() -> None:
    """A slash behind robots.txt would serve nothing."""
    text = written(more="location /robots.txt {\n alias /srv/robots.txt;\n}")

    assert "location = /robots.txt {" in cured("NGX502", text)


def test_a_folder_asked_for_without_its_slash_is_sent_on() -> None:
    """/docs was answered before; without the line it would go to Gunicorn."""
    after = cured("NGX502", written(more="location /docs {\n alias /srv/docs;\n index index.html;\n}"))

    assert "location = /docs { return 301 /docs/; }" in " ".join(after.split())


@pytest.mark.parametrize(
    "location",
    [
        "location /upload { proxy_pass http://shop; }",
        "location /api/images/ { proxy_pass http://shop; }",
        "location /media/new { client_max_body_size 1g; proxy_pass http://shop; }",
    ],
)
def test_what_the_application_answers_is_not_taken_for_files(location: str) -> None:
    """An alias in its place would break uploads, or show what the application guards."""
    said = [one.message for one in found("NGX501", written(more=location))]

    assert not any("gets files from Gunicorn" in message for message in said)


@pytest.mark.parametrize(
    "log", ["access_log off;", "access_log /var/log/a.log combined buffer=64k;", "access_log /a combined if=$loggable;"]
)
def test_logs_that_are_not_written_file_by_file(log: str) -> None:
    """NGX503 takes a buffer and a condition for answers."""
    assert () == found("NGX503", written(more=STATIC % log))


def test_a_second_log_that_is_written_at_once_counts() -> None:
    """Two logs are two writes."""
    logs = "access_log /a.log combined buffer=64k; access_log /b.log;"

    assert 1 == len(found("NGX503", written(more=STATIC % logs)))


def test_locations_that_pass_on_serve_no_files() -> None:
    """A root above a proxied `/static/` does not make it one."""
    text = written(server="root /srv;", more="location /static/ { proxy_pass http://shop; }")

    assert () == found("NGX503", text) + found("NGX504", text)


def test_a_cache_switched_off_is_a_decision() -> None:
    """NGX504 asks where nobody decided."""
    assert () == found("NGX504", written(more=STATIC % "open_file_cache off;"))


def test_the_fix_repeats_no_line_that_is_there() -> None:
    """nginx refuses a second open_file_cache_valid."""
    text = written(more=STATIC.replace("; ", ";\n") % "open_file_cache_valid 10s;\n")

    assert 1 == cured("NGX504", text).count("open_file_cache_valid")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(written(http=CACHE), id="nothing asks it"),
        pytest.param(written(http=CACHE, server="if (-f $request_filename) { break; }"), id="a file of the request"),
        pytest.param(
            written(server="if (-f /srv/down) { return 503; }", more=STATIC % CACHE), id="in the static location"
        ),
        pytest.param(
            written(http=CACHE, server="open_file_cache off; if (-f /srv/down) { return 503; }"), id="off here"
        ),
        pytest.param(written(http="open_file_cache_errors on;"), id="no cache, nothing remembered"),
    ],
)
def test_caches_that_hide_nothing(text: str) -> None:
    """NGX505 needs a flag file that is looked up in the cache, or errors that are remembered."""
    assert () == found("NGX505", text)


def test_a_flag_sticks_without_errors_too() -> None:
    """Measured on nginx 1.22.1: 503 went on after the flag was gone."""
    text = written(http=CACHE, server="if ( -f $document_root/maintenance.on) { return 503; }")

    assert ["60s"] == [one.message.rpartition(" ")[2] for one in found("NGX505", text)]


@pytest.mark.parametrize(
    "http",
    [
        "gzip on; gzip_types *;",
        "gzip on; gzip_types application/json text/css text/javascript;",
        "brotli on;",
        "gzip on; gzip_comp_level 6; gzip_types text/css application/json application/javascript;",
    ],
)
def test_text_that_is_compressed(http: str) -> None:
    """NGX506 takes either name of JavaScript, all types at once, and other methods."""
    assert () == found("NGX506", written(http=http))


def test_gzip_off_in_the_location_is_a_decision() -> None:
    """Server-sent events and BREACH are reasons."""
    assert () == found("NGX506", written(location="gzip off;"))


def test_gzip_off_is_told_once_for_http() -> None:
    """Two servers lack the same lines in http."""
    other = "server { listen 81; location / { proxy_pass http://shop; } }"

    assert 1 == len(found("NGX506", written(http=other)))


def test_types_keep_those_that_are_there() -> None:
    """text/html goes, it is a duplicate; the missing ones are added."""
    text = written(http="gzip on;\ngzip_types text/html text/xml text/css application/javascript;\n")

    assert "gzip_types text/xml text/css application/javascript application/json;" in cured("NGX506", text)


@pytest.mark.parametrize(
    "location",
    [
        "location /_next/static/ { root /srv; add_header Cache-Control immutable; }",
        'location ~ "\\.[0-9a-f]{8}\\.(css|js)$" { root /srv; add_header Cache-Control "public, immutable"; }',
        "location /static/ { root /srv; expires off; add_header Cache-Control public; }",
        "location /static/ { root /srv; expires 1d; add_header Cache-Control $kept; }",
    ],
)
def test_caching_said_once(location: str) -> None:
    """NGX507 believes names with hashes in them, and does not judge variables."""
    assert () == found("NGX507", written(more=location))


def test_expires_and_cache_control_become_one_line() -> None:
    """The time is kept, whatever its unit."""
    lines = "location /static/ {\nroot /srv;\nexpires 1h30m;\nadd_header Cache-Control public always;\n}"

    after = cured("NGX507", written(more=lines))

    assert ('add_header Cache-Control "public, max-age=5400" always;' in after, "expires" in after) == (True, False)


def test_expires_of_the_server_is_only_lifted_here() -> None:
    """Other locations go on with it."""
    text = written(server="expires 1h;", more="location /static/ {\nroot /srv;\nadd_header Cache-Control public;\n}")

    assert ("expires 1h;" in cured("NGX507", text), "expires off;" in cured("NGX507", text)) == (True, True)


@pytest.mark.parametrize(
    "location",
    [
        "location /a/ { add_header X-Frame-Options DENY; }",
        'location /a/ { add_header X-Frame-Options ""; }',
        "location /a/ { add_header_inherit merge; add_header X-A b; }",
        "location /a/ { expires 1d; }",
    ],
)
def test_headers_that_stay(location: str) -> None:
    """NGX508: repeated, emptied on purpose, merged, or none added."""
    assert () == found("NGX508", written(server="add_header X-Frame-Options DENY;", more=location))


def test_headers_that_are_no_security_are_a_remark() -> None:
    """Nobody is harmed by a lost X-Served-By."""
    text = written(server="add_header X-Served-By a;", location="add_header X-A b;")

    assert [Severity.INFO] == [one.level for one in found("NGX508", text)]


def test_new_nginx_merges_with_one_line() -> None:
    """add_header_inherit is there from 1.29.3 on."""
    text = written(
        said='#: nginx = "1.29.3"\n', server="add_header X-Frame-Options DENY;", location="\nadd_header X-A b;\n"
    )

    assert "add_header_inherit merge;" in cured("NGX508", text)


def test_an_if_loses_headers_too() -> None:
    """`if` in a location is a block of its own."""
    text = written(location="add_header X-Frame-Options DENY;\nif ($a) {\nadd_header X-A b;\n}")

    assert [Severity.WARNING] == [one.level for one in found("NGX508", text)]
