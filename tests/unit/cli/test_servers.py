"""`--server`: one word for a server, in every command; of several none is guessed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from gunicorn_autotune.cli import main, servers
from gunicorn_autotune.cli.running import Running
from gunicorn_autotune.cli.servers import SeveralServersError, find_server, same_address
from gunicorn_autotune.cli.style import CommandError

SHOP = Running(101, "shop", ("127.0.0.1:8000", "unix:/run/shop.sock"), "http://127.0.0.1:9877/metrics", 4, "/run/c/101")
BLOG = Running(202, "blog:app", ("0.0.0.0:8001",), "https://127.0.0.1:9878/metrics", 2, "/run/c/202")
BARE = Running(303, "bare", ("[::1]:8002",), "", 1, "/run/c/303")


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three servers run."""
    monkeypatch.setattr(servers, "running", lambda environment: [SHOP, BLOG, BARE])


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("word", "pid"),
    [
        ("101", 101), ("shop", 101), ("127.0.0.1:8000", 101), (":8000", 101), ("localhost:8000", 101),
        ("unix:/run/shop.sock", 101), ("unix:///run/shop.sock", 101), ("/run/shop.sock", 101), ("0.0.0.0:8000", 101),
        ("127.0.0.1:9877", 101), (" shop ", 101), ("blog:app", 202), ("127.0.0.1:8001", 202), ("10.1.2.3:8001", 202),
        ("localhost:9878", 202), ("[::1]:8002", 303), ("bare", 303),
    ],
)  # fmt: skip
def test_a_server_is_found_by_whatever_names_it(word: str, pid: int) -> None:
    """Pid, name, an address it is bound to, its metrics."""
    assert pid == find_server(word, {}).pid


@pytest.mark.usefixtures("three")
def test_what_was_found_tells_where_to_ask_and_where_to_command() -> None:
    """With the scheme that its exporter speaks."""
    found = find_server("blog:app", {})

    assert ("https://127.0.0.1:9878", "/run/c/202") == (str(found.exporter()), found.command_socket)


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("content", ["101\n", "101", " 101 \n"])
def test_a_pid_file_names_its_server(content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By an absolute path or one from here."""
    (tmp_path / "g.pid").write_text(content)
    monkeypatch.chdir(tmp_path)

    assert [101, 101, 101] == [find_server(word, {}).pid for word in (f"{tmp_path}/g.pid", "./g.pid", "g.pid")]


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("content", ["", "shop", "-1", "1" * 40, "101 202", "\x1b[2J"])
def test_a_file_that_holds_no_pid_is_said_to_hold_none(content: str, tmp_path: Path) -> None:
    """In one printable line."""
    (tmp_path / "g.pid").write_text(content)
    with pytest.raises(CommandError, match="holds no pid") as refused:
        find_server(f"{tmp_path}/g.pid", {})

    assert str(refused.value).isprintable()


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("word", ["404", "nosuch", "shop2", "101x"])
def test_an_unknown_word_is_answered_with_what_runs(word: str) -> None:
    """So that the next try is the right one."""
    with pytest.raises(CommandError, match=f"'{word}': no such server was found") as refused:
        find_server(word, {})

    assert ["101", "202", "303"] == [line.split()[0] for line in str(refused.value).splitlines()[3:]]


@pytest.mark.usefixtures("three")
def test_a_pid_file_of_a_server_that_is_gone_names_the_pid(tmp_path: Path) -> None:
    """The file was left behind, or the server has no autotune."""
    (tmp_path / "g.pid").write_text("404\n")
    with pytest.raises(CommandError, match=r"no such server was found \(pid 404\)"):
        find_server(f"{tmp_path}/g.pid", {})


@pytest.mark.parametrize("word", ["127.0.0.1:7000", "unix:/run/m.sock", "/run/m.sock", "http://h:1", "https://h:1/x"])
def test_an_address_of_no_server_that_is_seen_is_asked_itself(word: str) -> None:
    """Another host, another user, another mount of /tmp."""
    place = str(find_server(word, {}).exporter())

    assert place.removeprefix("http://") == f"unix:{word}" if word.startswith("/") else word in (place, place[7:])


@pytest.mark.usefixtures("three")
def test_a_server_without_metrics_is_said_to_have_none() -> None:
    """And not mistaken for another."""
    with pytest.raises(CommandError, match="server with pid 303 runs, but tells no address of metrics"):
        find_server("bare", {}).exporter()


@pytest.mark.parametrize("twin", [Running(404, "shop"), Running(404, "", ("127.0.0.1:8000",))])
def test_a_word_for_two_servers_is_not_guessed(twin: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """As during an upgrade: both are listed."""
    monkeypatch.setattr(servers, "running", lambda environment: [SHOP, twin])
    with pytest.raises(SeveralServersError, match="2 servers could be meant"):
        find_server(twin.name or twin.bind[0], {})

    assert 404 == find_server("404", {}).pid


@pytest.mark.parametrize(
    ("word", "address", "same"),
    [
        (":80", "127.0.0.1:80", True), ("127.0.0.1:80", ":80", True), ("[::]:80", "127.0.0.1:80", True),
        ("localhost:80", "[::1]:80", True), ("127.0.0.1:80", "127.0.0.2:80", False),
        ("127.0.0.1:80", "[::1]:80", False),
        ("localhost:80", "10.0.0.1:80", False), (":80", "127.0.0.1:8000", False), ("unix:/a", "unix:/b", False),
        ("/a", "unix:/a", True), (":80", "unix:/a", False), ("80", "127.0.0.1:80", False), ("shop", "shop", False),
        (":80", "fd://3", False), (":80", "", False),
    ],
)  # fmt: skip
def test_two_spellings_of_one_address_are_the_same(word: str, address: str, same: bool) -> None:
    """And two addresses are not."""
    assert same is same_address(word, address)


def test_without_a_word_the_environment_names_the_server() -> None:
    """As the server itself reads it; a certificate there means TLS."""
    environment = {"GUNICORN_AUTOTUNE_METRICS": "127.0.0.1:1234"}
    tls = environment | {"GUNICORN_AUTOTUNE_METRICS_CERT_FILE": "c.pem"}

    assert ["http://127.0.0.1:1234", "https://127.0.0.1:1234", "http://h:1"] == [
        str(find_server(word, given).exporter())
        for word, given in ((None, environment), (None, tls), ("http://h:1", tls))
    ]


@pytest.mark.parametrize("environment", [{}, {"GUNICORN_AUTOTUNE_METRICS": ""}, {"GUNICORN_AUTOTUNE_METRICS": "auto"}])
def test_without_a_word_the_only_server_is_meant(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """No two answers are possible."""
    monkeypatch.setattr(servers, "running", lambda environment: [SHOP])

    assert 101 == find_server(None, environment).pid


def test_without_a_word_and_a_server_one_line_says_where_was_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    """And to a user that others' servers are not seen."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(CommandError, match=r"no server with gunicorn-autotune was found on this host.*of other users"):
        find_server(None, {})


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("words", [["status"], ["recycle", "--all"], ["plan"], ["nginx", "render", "--print", "x"]])
def test_several_are_listed_and_none_is_asked(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2; pid, name, bind, metrics and workers of each."""
    code = main(words)
    out, err = capsys.readouterr()

    assert (2, "") == (code, out)
    assert ["101", "shop", "127.0.0.1:8000", "unix:/run/shop.sock", SHOP.metrics, "4"] == err.splitlines()[2].split()


@pytest.mark.usefixtures("three")
def test_several_are_listed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """For programs: on standard output, the same exit code."""
    code = main(["status", "--json"])
    listed: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["servers"]

    assert (2, [101, 202, 303]) == (code, [one["pid"] for one in listed])
    assert {"pid", "name", "bind", "metrics", "workers", "command_socket"} == set(listed[0])
