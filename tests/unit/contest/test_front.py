"""Contenders behind nginx: what nginx is told, what the contenders are."""

from itertools import pairwise
from pathlib import Path

import pytest
from benchmarks.contest.contenders import Place
from benchmarks.contest.front import by_hand, head, render_command
from benchmarks.contest.fronted import FRONTED, PLAIN, TCP, UNIX, WAYS, Fronted, fronted
from benchmarks.contest.workloads import WORKLOADS
from benchmarks.nginx.front import DEFAULTS, GUIDE

from gunicorn_autotune import conf

STEP = WORKLOADS["step"]


def place_in(folder: Path) -> Place:
    """Ports that nothing listens on are not needed: nothing is started."""
    return Place(8000, 9877, folder, cores=2)


def config_of(one: Fronted, folder: Path) -> str:
    """The gunicorn.conf.py of a contender in its place."""
    one.contender.command(STEP, one.place(place_in(folder)))
    return (folder / "gunicorn.conf.py").read_text()


def test_every_contender_stands_behind_nginx_in_both_ways_once():
    """A way that one of them lacks could not be compared."""
    names = {one.contender.name for one in FRONTED}
    found = sorted((one.way, one.contender.name) for one in FRONTED)

    assert found == sorted((way, name) for way in WAYS for name in names)


@pytest.mark.parametrize("one", FRONTED, ids=lambda one: f"{one.way}-{one.contender.name}")
def test_the_server_listens_where_nginx_looks(one: Fronted, tmp_path: Path):
    """The socket in its folder, or its port: the word in its command or file is the address without its scheme."""
    place = place_in(tmp_path)
    words = " ".join(one.contender.command(STEP, one.place(place)))
    config = tmp_path / "gunicorn.conf.py"
    told = config.read_text() if config.exists() else words

    assert one.address(place).removeprefix("unix:") in told


def test_the_socket_lies_in_the_folder_of_the_place(tmp_path: Path):
    """It is removed with the run, and two runs never share one."""
    one = Fronted(UNIX, FRONTED[0].contender)

    assert Path(one.place(place_in(tmp_path)).unix).parent == tmp_path


def test_by_tcp_no_socket_is_left_over(tmp_path: Path):
    """A place used before by a UNIX socket would bind there again."""
    used = Fronted(UNIX, FRONTED[0].contender).place(place_in(tmp_path))

    assert Fronted(TCP, FRONTED[0].contender).place(used).unix == ""


def test_ours_keeps_idle_connections_as_its_configuration_module_does(tmp_path: Path):
    """The figures are of what a user gets."""
    assert f"keepalive = {conf.keepalive}\n" in config_of(fronted(TCP, "adaptive-gthread"), tmp_path)


def test_ours_with_kept_connections_outlasts_nginx(tmp_path: Path):
    """Else the run would show lost requests, not hidden workers."""
    assert f"keepalive = {DEFAULTS.gunicorn_keepalive}\n" in config_of(fronted(UNIX, "adaptive-gthread-kept"), tmp_path)


@pytest.mark.parametrize("name", ["static-2k+1-guide", "gthread-3x4-guide"])
def test_the_guides_servers_have_the_guides_keepalive_and_no_autotune(name: str, tmp_path: Path):
    """They stand for what people run today."""
    text = config_of(fronted(TCP, name), tmp_path)

    assert (f"keepalive = {GUIDE.gunicorn_keepalive}\n" in text, "autotune" in text) == (True, False)


def test_the_rule_of_thumb_counts_the_cores_of_the_place(tmp_path: Path):
    """2 x 2 + 1."""
    assert "workers = 5\n" in config_of(fronted(UNIX, "static-2k+1-guide"), tmp_path)


def test_the_guides_pair_is_written_as_in_the_guides():
    """A pool of 32 that nginx's defaults rule, HTTP/1.1, an empty Connection header."""
    text = by_hand(GUIDE, "unix:/run/a.sock", 8080)

    assert "upstream site { server unix:/run/a.sock; keepalive 32; }" in text
    assert 'proxy_pass http://site; proxy_http_version 1.1; proxy_set_header Connection "";' in text


def test_a_plain_proxy_pass_keeps_nothing():
    """No upstream block, from which nginx 1.29.7 on keeps connections."""
    text = by_hand(PLAIN, "127.0.0.1:8000", 8080)

    assert ("proxy_pass http://127.0.0.1:8000;" in text, "upstream" in text) == (True, False)


@pytest.mark.parametrize("pair", [GUIDE, DEFAULTS, PLAIN], ids=lambda pair: pair.title)
def test_every_pair_stamps_requests_and_hands_over_every_path(pair):
    """As rendered files do: the stamp makes no difference between them."""
    text = by_hand(pair, "127.0.0.1:8000", 8080)

    assert 'proxy_set_header X-Request-Start "t=${msec}";' in text.partition("location / {")[2]


def test_braces_of_a_configuration_by_hand_close(tmp_path: Path):
    """Its first part leaves `http` open for the second."""
    text = head(tmp_path) + by_hand(GUIDE, "unix:/run/a.sock", 8080)

    assert text.replace("${msec}", "").count("{") == text.replace("${msec}", "").count("}")


def test_one_nginx_worker_serves(tmp_path: Path):
    """Its kept connections are one pool, and it has the generator's core."""
    assert "worker_processes 1;" in head(tmp_path)


def test_rendering_is_for_this_gunicorn_and_limits_nobody(tmp_path: Path):
    """All the load comes from one address."""
    words = render_command(place_in(tmp_path), tmp_path / "nginx", 8080)
    told = dict(pairwise(words))

    assert told["--config"] == str(tmp_path / "gunicorn.conf.py")
    assert (told["--rate"], told["--listen"], told["--nginx-workers"]) == ("0", "127.0.0.1:8080", "1")
