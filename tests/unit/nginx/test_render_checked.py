"""What `nginx render` writes, `nginx check` has nothing to say about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gunicorn_autotune.nginx.read.parse import parse
from gunicorn_autotune.nginx.rules.check import check
from gunicorn_autotune.nginx.site.gunicorn import CONCURRENT, SYNC, THREADED, Gunicorn
from gunicorn_autotune.nginx.site.host import HostFacts
from gunicorn_autotune.nginx.site.site import site_of
from gunicorn_autotune.nginx.write.options import Options
from gunicorn_autotune.nginx.write.render import render
from tests.nginx_samples import DEFAULTS, MAIN
from tests.nginx_words import Texts
from tests.proxy import STOCK
from tests.rendering import FULL, a_gunicorn

TLS = replace(FULL, certificate="/etc/ssl/c.pem", key="/etc/ssl/k.pem")


def findings(gunicorn: Gunicorn, options: Options = TLS) -> list[str]:
    """Rule and place of whatever is found in the rendered files."""
    texts = {f"/etc/nginx/{name}": text for name, text in render(gunicorn, options).items()}
    root = parse(Texts(texts | {MAIN: STOCK.read_text(), "/etc/nginx/mime.types": "types {}"}), MAIN)
    site = site_of(root, options.nginx_version, gunicorn, HostFacts(cpus=2, somaxconn=4096))
    found = check(site, strict=True).findings
    return [f"{one.rule.id} {one.file}:{one.line}: {one.message}" for one in found if one.file != MAIN]


def a_complete_gunicorn(kind: str = THREADED, version: str = "27.0.1", **values: Any) -> Gunicorn:
    """With every setting that a rule may read."""
    return a_gunicorn(kind, version, **{**DEFAULTS, "threads": 4, "keepalive": 10, "worker_class": kind} | values)


@pytest.mark.parametrize("bind", ["127.0.0.1:8000", "unix:/run/shop/gunicorn.sock"])
@pytest.mark.parametrize("kind", [SYNC, THREADED, CONCURRENT])
@pytest.mark.parametrize("nginx", ["1.18.0", "1.22.1", "1.28.0", "1.30.4"])
def test_check_agrees_with_render(nginx: str, kind: str, bind: str) -> None:
    """Every worker class, address and era of nginx."""
    names = {SYNC: "sync", THREADED: "gthread", CONCURRENT: "gevent"}
    gunicorn = a_complete_gunicorn(kind, bind=[bind], worker_class=names[kind])

    assert findings(gunicorn, replace(TLS, nginx_version=nginx)) == []


def test_check_agrees_with_plain_http() -> None:
    """Without TLS."""
    assert findings(a_complete_gunicorn(), FULL) == []


def test_check_agrees_with_several_hosts() -> None:
    """Two Gunicorns elsewhere, the one that is looked at among them."""
    options = replace(TLS, servers=("10.0.0.4:8000", "10.0.0.5:8000"))

    assert findings(a_complete_gunicorn(bind=["10.0.0.4:8000"], forwarded_allow_ips=["10.0.0.9"]), options) == []


def test_check_misses_limits_that_were_not_wanted() -> None:
    """--rate 0: the one finding is the one that was asked for."""
    found = findings(a_complete_gunicorn(), replace(TLS, rate=0, streams=()))

    assert [one.partition(" ")[0] for one in found] == ["NGX404"]


@pytest.mark.parametrize("version", ["22.0.0", "25.3.0", "26.2.0"])
@pytest.mark.parametrize("nginx", ["1.22.1", "1.30.4"])
def test_what_an_older_gthread_cannot_do_is_said_by_both(nginx: str, version: str) -> None:
    """Render keeps no connection; check may only say that Gunicorn itself should be newer."""
    found = findings(a_complete_gunicorn(version=version), replace(TLS, nginx_version=nginx))

    assert [one for one in found if not one.startswith(("NGX007", "NGX003"))] == []
