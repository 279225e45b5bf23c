"""A real nginx accepts what is rendered, below Debian's own nginx.conf, and has nothing to remark."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gunicorn_autotune.nginx.site.gunicorn import CONCURRENT, SYNC, THREADED
from gunicorn_autotune.nginx.write.render import render
from gunicorn_autotune.nginx.write.shipped import CASES, shipped
from tests.proxy import installed, nginx_test, self_signed
from tests.rendering import FULL, a_gunicorn, at
from tests.server import free_port

pytestmark = [pytest.mark.real, pytest.mark.once]
SUCCESS = "nginx: the configuration file {0}/nginx.conf syntax is ok\nnginx: configuration file {0}/nginx.conf test is "
PLACES = {
    "tcp": ["127.0.0.1:8000"], "ipv6": ["[::1]:8000"], "unix": ["unix:/run/shop/gunicorn.sock"],
    "odd": ["unix:/run/my shop;{}/g.sock"],
}  # fmt: skip
VARIANTS: dict[str, dict[str, Any]] = {
    "full": {},
    "no limits": {"rate": 0},
    "every host": {"domains": ()},
    "several hosts": {"servers": ("10.0.0.4:8000", "10.0.0.5:8000")},
    "bare": {"static": (), "media": (), "streams": (), "exporter": ""},
    "exporter on a socket": {"exporter": "http://unix:/run/shop/metrics.sock"},
}


def nginx_says(folder: Path, files: dict[str, str]) -> tuple[int, str]:
    """Exit code and what nginx says beyond success."""
    code, words = nginx_test(installed(folder, files))
    return code, words.replace(SUCCESS.format(folder) + "successful\n", "")


def somewhere(**changes: Any) -> dict[str, Any]:
    """Ports that an ordinary user may listen on, IPv4 and IPv6."""
    site, plain, metrics = free_port(), free_port(), free_port()
    listen, redirect = (f"{site}", f"[::]:{site}"), (f"{plain}", f"[::]:{plain}")
    return {"listen": listen, "plain": redirect, "metrics_listen": f"127.0.0.1:{metrics}"} | changes


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", [SYNC, THREADED, CONCURRENT])
def test_every_kind_of_gunicorn_is_accepted_without_a_warning(
    kind: str, place: str, tls: bool, tmp_path: Path
) -> None:  # fmt: skip
    """Worker class by address by TLS."""
    certificate, key = self_signed(tmp_path) if tls else ("", "")
    options = at(tmp_path, FULL, certificate=certificate, key=key, **somewhere())

    assert nginx_says(tmp_path, render(a_gunicorn(kind, bind=PLACES[place]), options)) == (0, "")


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_option_is_accepted_without_a_warning(variant: str, tls: bool, tmp_path: Path) -> None:
    """What an option adds or leaves out leaves nothing dangling."""
    certificate, key = self_signed(tmp_path) if tls else ("", "")
    options = at(tmp_path, FULL, certificate=certificate, key=key, **somewhere(**VARIANTS[variant]))

    assert nginx_says(tmp_path, render(a_gunicorn(), options)) == (0, "")


@pytest.mark.parametrize("version", ["1.14.2", "1.18.0"])
def test_what_is_rendered_for_an_older_nginx_is_no_news_to_this_one(version: str, tmp_path: Path) -> None:
    """The directives of older versions still exist."""
    certificate, key = self_signed(tmp_path)
    options = at(tmp_path, FULL, nginx_version=version, certificate=certificate, key=key, **somewhere())

    assert nginx_says(tmp_path, render(a_gunicorn(), options)) == (0, "")


@pytest.mark.parametrize("keepalive", [0, 1, 2])
def test_no_keepalive_of_gunicorn_breaks_the_upstream(keepalive: int, tmp_path: Path) -> None:
    """Where nothing can be kept the upstream has no keepalive line left over."""
    options = at(tmp_path, FULL, **somewhere())

    assert nginx_says(tmp_path, render(a_gunicorn(keepalive=keepalive), options)) == (0, "")


def test_two_sites_share_a_host(tmp_path: Path) -> None:
    """No name of one collides with the other's; only one of them is the default server."""
    ports = somewhere()
    files: dict[str, str] = {}
    for name in ("blog", "shop"):
        own = {"name": name, "domains": (f"{name}.example.com",), "metrics_listen": f"127.0.0.1:{free_port()}"}
        files |= render(a_gunicorn(), at(tmp_path, FULL, **ports | own))
    del files["conf.d/blog-unknown.conf"]

    assert nginx_says(tmp_path, files) == (0, "")


def below(folder: Path, case: str) -> dict[str, str]:
    """A shipped folder with this host's paths and ports."""
    certificate, key = self_signed(folder)
    plain, site, metrics = free_port(), free_port(), free_port()
    ports = {"80": plain, "443": site, "127.0.0.1:8081": f"127.0.0.1:{metrics}"}

    def port(match: re.Match[str]) -> str:
        return match[1] + (match[2] or "") + str(ports[match[3]])

    paths = {
        "/etc/ssl/certs/app.pem": certificate, "/etc/ssl/private/app.key": key, "/etc/nginx": str(folder),
        "/var/log/nginx": f"{folder}/log",
    }  # fmt: skip
    files = {}
    for name, text in shipped().items():
        if name.startswith(f"{case}/"):
            text = re.sub(r"(listen +)(\[::\]:)?(80|443|127\.0\.0\.1:8081)\b", port, text)
            for old, new in paths.items():
                text = text.replace(old, new)
            files[name.removeprefix(f"{case}/")] = text
    return files


@pytest.mark.parametrize("case", CASES)
def test_nginx_accepts_a_shipped_folder_without_a_warning(case: str, tmp_path: Path) -> None:
    """Below Debian 12's own nginx.conf."""
    assert nginx_says(tmp_path, below(tmp_path, case)) == (0, "")
