"""Several fixes in one patch: each whole or not at all, and nginx takes the result."""

from __future__ import annotations

import pytest

from gunicorn_autotune.nginx.rules.check import check
from gunicorn_autotune.nginx.write.edits import Edit, changed, together
from tests.nginx_samples import MAIN, site_from

THREADS = '#: gunicorn.worker_class = "gthread"\n#: gunicorn.threads = 4\n'
AUTOTUNE = THREADS + '#: gunicorn.version = "27.0.1"\n#: policy.max_workers = 8\n'
FILE = "/etc/nginx/nginx.conf"


def patched(text: str) -> str:
    """The main file with all fixes of all rules in it."""
    found = check(site_from({MAIN: text}), strict=True).findings
    return changed(text, together(one.edits for one in found))


def errors_after(text: str) -> set[str]:
    """Rules that speak at severity error after the patch and did not before."""
    before = {one.rule.id for one in check(site_from({MAIN: text})).findings}
    after = check(site_from({MAIN: patched(text)})).findings
    return {one.rule.id for one in after if one.level.value == "error"} - before


def test_a_fix_of_two_parts_is_left_out_with_its_first_part() -> None:
    """Half of it may be worse than none."""
    first = (Edit(FILE, 3, 3, "keepalive 16;"),)
    second = (Edit(FILE, 3, 3, ""), Edit(FILE, 5, 4, "keepalive 2;"))

    assert together([first, second]) == first


def test_lines_that_are_there_already_are_not_put_there_twice() -> None:
    """Two rules may want the same line."""
    first = (Edit(FILE, 3, 2, "keepalive_timeout 1s;"),)
    second = (Edit(FILE, 3, 2, "keepalive 12;\nkeepalive_timeout 1s;"),)

    assert [edit.text for edit in together([first, second])] == ["keepalive_timeout 1s;", "keepalive 12;"]


def test_a_directive_is_not_set_to_two_values_at_one_place() -> None:
    """nginx refuses a duplicate; the worse finding comes first and counts."""
    first = (Edit(FILE, 3, 2, "keepalive_timeout 1s;"),)

    assert together([first, (Edit(FILE, 3, 2, "keepalive_timeout 4s;"),)]) == first


@pytest.mark.parametrize("text", ["upstream gunicorn {\n}", "log_format autotune 'x';"])
def test_a_name_is_not_defined_twice(text: str) -> None:
    """Not in another file either."""
    first = (Edit(FILE, 3, 2, text),)

    assert together([first, (Edit("/etc/nginx/sites-enabled/b", 1, 0, text),)]) == first


def test_edits_of_other_files_do_not_meet() -> None:
    """Line 3 of each of two files."""
    fixes = [(Edit(FILE, 3, 3, "a;"),), (Edit("/etc/nginx/b", 3, 3, "b;"),)]

    assert together(fixes) == (*fixes[0], *fixes[1])


def test_two_addresses_become_two_upstreams() -> None:
    """Gunicorn's address in two spellings: one name would be refused."""
    locations = "".join(
        f"location {path} {{\nproxy_pass http://{host}:8000;\nproxy_set_header Host $host;\n}}\n"
        for path, host in (("/", "127.0.0.1"), ("/a/", "localhost"))
    )
    after = patched(f"{THREADS}events {{}}\nhttp {{\nserver {{\nlisten 80;\n{locations}}}\n}}\n")

    assert (after.count("upstream gunicorn {"), after.count("upstream gunicorn2 {")) == (1, 1)


def test_an_upstream_that_says_nothing_gets_each_line_once() -> None:
    """NGX001, NGX005 and NGX708 all have something to add there."""
    text = f'#: nginx = "1.30.4"\n{AUTOTUNE}events {{}}\nhttp {{\nupstream shop {{\nserver 127.0.0.1:8000;\n}}\n'
    after = patched(f"{text}server {{\nlocation / {{\nproxy_pass http://shop;\n}}\n}}\n}}\n")

    assert [after.count(line) for line in ("keepalive 64;", "keepalive_timeout 1s;", "keepalive_time 2s;")] == [1, 1, 1]


KEEPS_NOTHING_YET = {
    "header-of-nginx": "proxy_pass http://shop;",
    "map": "proxy_pass http://shop;\nproxy_http_version 1.1;\nproxy_set_header Connection $how;",
}


@pytest.mark.parametrize("inner", KEEPS_NOTHING_YET.values(), ids=KEEPS_NOTHING_YET)
def test_a_cure_does_not_bring_the_race(inner: str) -> None:
    """A keepalive without effect is harmless; with effect and 60 s against Gunicorn's 2 s it costs POSTs."""
    head = "map $http_upgrade $how {\ndefault upgrade;\n'' close;\n}\n"
    shop = "upstream shop {\nserver 127.0.0.1:8000;\nkeepalive 32;\nleast_conn;\n}\n"
    text = f"{THREADS}events {{}}\nhttp {{\n{head}{shop}server {{\nlocation / {{\n{inner}\n}}\n}}\n}}\n"

    assert errors_after(text) == set()


def test_headers_of_two_rules_go_to_one_level() -> None:
    """One in the location would switch off the one in the server."""
    shop = "upstream shop {\nserver 127.0.0.1:8000;\n}\n"
    two = "location / {\nproxy_pass http://shop;\n}\nlocation /a/ {\nproxy_pass http://shop;\n}\n"
    text = f"{THREADS}events {{}}\nhttp {{\n{shop}server {{\n{two}}}\n}}\n"

    assert errors_after(text) == set()


def test_more_connections_come_with_more_files() -> None:
    """4,096 connections and systemd's 1,024 files would be NGX603."""
    site = "upstream shop {\nserver 127.0.0.1:8000;\n}\nserver {\nlocation / {\nproxy_pass http://shop;\n}\n}\n"
    after = patched(f"{THREADS}events {{\nworker_connections 512;\n}}\nhttp {{\n{site}}}\n")

    assert "worker_rlimit_nofile 65535;" in after


TWICE = {
    MAIN: THREADS + "events {}\nhttp {\n    include /etc/nginx/sites;\n}\n",
    "/etc/nginx/sites": "".join(
        f"server {{\n    listen {port};\n    include /etc/nginx/app;\n}}\n" for port in (80, 81)
    ),
    "/etc/nginx/app": "location / {\n    proxy_pass http://127.0.0.1:8000;\n}\nlocation /a {\n    alias /srv/a;\n}\n",
}


def test_a_block_of_a_file_that_is_included_twice_is_put_right() -> None:
    """Its children stand in the tree twice, and are no neighbours."""
    edits = together(one.edits for one in check(site_from(TWICE), strict=True).findings)

    assert "location /a/ {" in changed(
        TWICE["/etc/nginx/app"], [edit for edit in edits if edit.file == "/etc/nginx/app"]
    )


def test_each_server_around_a_shared_file_gets_its_lines() -> None:
    """The finding is one, at one line; the places to write are two."""
    edits = together(one.edits for one in check(site_from(TWICE), strict=True).findings)
    after = changed(TWICE["/etc/nginx/sites"], [edit for edit in edits if edit.file == "/etc/nginx/sites"])

    assert after.count("proxy_connect_timeout 5s;") == 2
