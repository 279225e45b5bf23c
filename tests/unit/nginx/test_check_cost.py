"""What checking a large configuration costs, counted in calls: a time would depend on the machine."""

from __future__ import annotations

import sys
from types import FrameType

import pytest

from gunicorn_autotune.nginx.rules.check import check
from tests.nginx_samples import MAIN, site_from

SAID = '#: gunicorn.worker_class = "gthread"\n#: gunicorn.bind = ["127.0.0.1:8000"]\n'
KINDS = {
    "servers": ("", "server { location / { proxy_pass http://shop; } }\n", ""),
    "locations": ("server {\n", "location /%d/ { proxy_pass http://shop; }\n", "}\n"),
    "upstreams": ("server {\n", "location /%d/ { proxy_pass http://127.0.0.1:8%03d; }\n", "}\n"),
    "flag files": (
        "server { location / { proxy_pass http://shop; }\n",
        "location /static/%d/ { alias /srv/%d/; open_file_cache max=9; if (-f /srv/off) { return 503; } }\n",
        "}\n",
    ),
    "ignored": ("server {\n", "location /%d/ { proxy_pass http://shop; } # autotune: ignore NGX001\n", "}\n"),
}


def calls(kind: str, count: int) -> int:
    """Python calls of a check over `count` lines of a kind."""
    head, line, tail = KINDS[kind]
    lines = "".join(line.replace("%d", str(one)).replace("%03d", f"{one:03}") for one in range(count))
    http = f"http {{ upstream shop {{ server 127.0.0.1:8000; keepalive 32; }}\n{head}{lines}{tail}}}\n"
    site = site_from({MAIN: f"{SAID}events {{}}\n{http}"})
    counted = 0

    def count_call(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal counted
        counted += event == "call"

    sys.setprofile(count_call)
    try:
        check(site, strict=True)
    finally:
        sys.setprofile(None)
    return counted


@pytest.mark.parametrize("kind", KINDS)
def test_four_times_the_configuration_is_about_four_times_the_work(kind: str) -> None:
    """No rule asks every location about every other."""
    calls(kind, 5)

    assert calls(kind, 200) < 5 * calls(kind, 50)
