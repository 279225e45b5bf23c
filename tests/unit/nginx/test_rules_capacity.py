"""NGX601 to NGX605 where they must be silent, or say less."""

from __future__ import annotations

import pytest

from tests.unit.nginx.asked import HTTP, asked, cured, levels, upstream

GTHREAD = 'gunicorn.worker_class = "gthread"\ngunicorn.threads = 8\n'
SERVER = "server 127.0.0.1:8000;"


@pytest.mark.parametrize(
    ("main", "said"),
    [
        ("worker_processes auto;", "host.cpus = 8"),
        ("worker_processes 4;", "host.cpus = 8"),
        ("worker_processes 1;", "host.cpus = 1"),
        ("worker_processes 1;", ""),
    ],
    ids=["auto", "chosen", "one-cpu", "cpus-unknown"],
)
def test_workers_that_fit_are_left_alone(main: str, said: str) -> None:
    """Only one worker on several CPUs is told."""
    assert [] == levels("NGX601", upstream(SERVER, said, f"{main}\nevents {{}}"))


def test_a_missing_worker_processes_goes_before_events() -> None:
    """It may not stand in http."""
    assert "worker_processes auto;\nevents {}" in cured("NGX601", upstream(SERVER, "host.cpus = 4"))


@pytest.mark.parametrize(
    ("said", "main", "found"),
    [
        (GTHREAD + "gunicorn.workers = 32\nhost.cpus = 1", "events {}", []),
        (GTHREAD + "gunicorn.workers = 33\nhost.cpus = 1", "events {}", ["warning"]),
        (GTHREAD + "policy.max_workers = 33\nhost.cpus = 1", "events {}", ["warning"]),
        (GTHREAD + "gunicorn.workers = 33\nhost.cpus = 2", "worker_processes auto; events {}", []),
        (GTHREAD + "gunicorn.workers = 33", "worker_processes auto; events {}", []),
        ('gunicorn.worker_class = "gevent"\nhost.cpus = 1', "events {}", ["info"]),
    ],
    ids=["just-enough", "one-too-many", "as-far-as-autotune-goes", "two-workers", "cpus-unknown", "event-loop"],
)
def test_nginx_must_carry_what_gunicorn_takes_with_all_its_workers(said: str, main: str, found: list[str]) -> None:
    """Two connections for each request, in all workers of nginx together; nothing is said where a number is missing."""
    assert found == levels("NGX602", upstream(SERVER, said, main))


@pytest.mark.parametrize(
    ("workers", "cpus", "connections"), [(33, 1, 4096), (200, 1, 7168), (400, 2, 7168)], ids=["ample", "1", "2"]
)
def test_the_fix_has_four_connections_for_each_request_in_whole_1024s(
    workers: int, cpus: int, connections: int
) -> None:
    """Of all workers of nginx together, and 4096 at least: 4 x 200 x 8 is 6400."""
    said = GTHREAD + f"gunicorn.workers = {workers}\nhost.cpus = {cpus}"
    (finding,) = asked("NGX602", upstream(SERVER, said, f"worker_processes {cpus}; events {{}}"))

    assert finding.fix.startswith(f"worker_connections {connections};")


@pytest.mark.parametrize(
    ("main", "said", "found"),
    [
        ("events { worker_connections 768; }", "", []),
        ("events { worker_connections 1024; }", "", []),
        ("events { worker_connections 4096; }", "host.worker_open_files = 20000", []),
        ("events { worker_connections 4096; }", "host.worker_open_files = 5000", ["info"]),
        ("worker_rlimit_nofile 100; events { worker_connections 4096; }", "", ["warning"]),
        (
            "worker_rlimit_nofile 100; events { worker_connections 4096; }",
            "host.worker_open_files = 20000",
            ["warning"],
        ),
    ],
    ids=["debian", "systemd-default", "running-worker", "one-file-each", "written", "written-not-loaded"],
)
def test_files_are_counted_by_the_line_else_by_the_running_worker(main: str, said: str, found: list[str]) -> None:
    """A guess is only made where it is certain to be too few."""
    assert found == levels("NGX603", upstream(SERVER, said, main))


def busy(listens: str) -> str:
    """A Gunicorn of 1,024 requests at once behind two servers."""
    body = f"{listens}\nlocation / {{ proxy_pass http://shop; }}\n}}\nserver {{\n    listen 80 backlog=2048;"
    said = "".join(f"#: {line}\n" for line in (GTHREAD + "policy.max_workers = 128").splitlines())
    return said + "events {}\n" + HTTP % body.replace("listen 80;\n", "", 1)


@pytest.mark.parametrize("listens", ["", "listen *:80;", "listen 0.0.0.0:80;"])
def test_a_backlog_written_at_another_server_counts_for_the_address(listens: str) -> None:
    """nginx takes it once for each address and port, whoever has it."""
    assert [] == levels("NGX604", busy(listens))


def test_another_address_has_a_queue_of_its_own() -> None:
    """`[::]:80` is not `80`."""
    assert ["listen [::]:80 backlog=4096;    # at one server only"] == [
        one.fix for one in asked("NGX604", busy("listen [::]:80;"))
    ]


@pytest.mark.parametrize(
    "said",
    [
        GTHREAD + "gunicorn.workers = 8",
        'gunicorn.worker_class = "gevent"',
        GTHREAD + "gunicorn.workers = 128\ngunicorn.backlog = 256",
    ],
    ids=["small", "event-loop", "short-backlog-behind"],
)
def test_the_queue_of_nginx_is_long_enough(said: str) -> None:
    """Fewer requests at once than places, a number that means nothing, or a Gunicorn whose own queue is shorter."""
    assert [] == levels("NGX604", upstream(SERVER, said))


@pytest.mark.parametrize(
    ("servers", "said", "found"),
    [
        ("server 127.0.0.1:8000 max_conns=8;", "gunicorn.workers = 1", []),
        ("server 127.0.0.1:8000 max_conns=8;", "gunicorn.workers = 2\nhost.cpus = 1", ["warning"]),
        ("server 127.0.0.1:8000 max_conns=8;", "gunicorn.workers = 2\nhost.cpus = 2", []),
        ("zone z 64k; server 127.0.0.1:8000 max_conns=8;", "gunicorn.workers = 2\nhost.cpus = 2", ["warning"]),
        ("server 127.0.0.1:8000; server 127.0.0.1:9 max_conns=1;", "gunicorn.workers = 2\nhost.cpus = 1", []),
        ("server 127.0.0.1:8000 max_conns=0;", "gunicorn.workers = 2\nhost.cpus = 1", []),
    ],
    ids=["equal", "below", "two-counters", "one-zone", "another-server", "none"],
)
def test_max_conns_is_held_against_all_workers(servers: str, said: str, found: list[str]) -> None:
    """Counted by each nginx worker, or once where there is a zone; only at Gunicorn's own server."""
    assert found == levels("NGX605", upstream(servers, GTHREAD + said, "worker_processes auto;\nevents {}"))


@pytest.mark.parametrize(
    ("key", "found"),
    [("$binary_remote_addr", []), ("$server_name", ["warning"]), ("$host$uri", []), ("all", ["warning"])],
)
def test_only_a_limit_for_all_clients_together_counts(key: str, found: list[str]) -> None:
    """One for each client is another matter."""
    body = "limit_conn_zone " + key + " zone=z:1m;\n    server { listen 81;"
    text = upstream(SERVER, GTHREAD + "gunicorn.workers = 2").replace("server {\n", body, 1)
    text = text.replace("location /", "limit_conn z 5;\n        location /")

    assert found == levels("NGX605", text)
