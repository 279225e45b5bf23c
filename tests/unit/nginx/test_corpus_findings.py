"""Configurations in the style of public ones: what the check says of each was read by hand, and stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from gunicorn_autotune.cli.nginx_files import Disk
from gunicorn_autotune.nginx.read.parse import parse
from gunicorn_autotune.nginx.rules.check import check
from gunicorn_autotune.nginx.rules.finding import Severity
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write.edits import changed, together
from tests.nginx_corpus import NAMES, laid_out
from tests.nginx_samples import site_beside

GUIDE = 'worker_class = "gthread"\nthreads = 4\nworkers = 3\nmax_requests = 1000\n'
"""The Gunicorn that the tuning guide goes with: 3 x 4, keepalive 2."""
BESIDE = {
    "certbot": "",
    "debian-stock": "",
    "digitalocean-flask": 'bind = ["unix:/home/sammy/myproject/myproject.sock"]\numask = 7\n',
    "django-tutorial": 'bind = ["unix:/run/gunicorn.sock"]\nworkers = 3\n',
    "docker-compose": 'bind = ["0.0.0.0:8000"]\n',
    "guide-n-baseline": GUIDE,
    "guide-n-steps": GUIDE,
    "guide-n-unix": GUIDE + 'bind = ["unix:/run/gunicorn.sock"]\n',
    "guide-r": "workers = 4\n",
    "gunicorn-docs": 'bind = ["unix:/tmp/gunicorn.sock"]\n',
    "h5bp": 'worker_class = "gthread"\nthreads = 8\n',
    "heroku-buildpack": 'bind = ["unix:/tmp/nginx.socket"]\nworker_class = "gthread"\nthreads = 4\n',
    "kubernetes-resolver": 'bind = ["0.0.0.0:8000"]\n',
    "multi-upstream": 'bind = ["0.0.0.0:8000"]\nworker_class = "gthread"\nforwarded_allow_ips = ["10.0.1.1"]\n',
    "nginxconfig-io": 'bind = ["127.0.0.1:3000"]\n',
    "rails-like": 'bind = ["unix:/srv/shop/shared/tmp/sockets/gunicorn.sock"]\n',
    "websocket-map": 'bind = ["127.0.0.1:5000"]\nworker_class = "gevent"\n',
    "wordpress-beside": 'bind = ["127.0.0.1:5000"]\n',
}
"""The Gunicorn each of them is written for, as TOML; Gunicorn's defaults else."""


EXPECTED: dict[str, dict[str, set[str]]] = {
    "certbot": {"warning": {"NGX506", "NGX703"}},
    "debian-stock": {"warning": {"NGX201"}},  # Nothing in sites-enabled passes requests on.
    "digitalocean-flask": {
        "warning": {"NGX202", "NGX506", "NGX703"}
    },  # The socket in /home/sammy: 13 since Ubuntu 21.04.
    "django-tutorial": {"warning": {"NGX502", "NGX506", "NGX703"}},  # /media_old/ and /static_old/ would be public.
    "docker-compose": {"warning": {"NGX506", "NGX703"}},
    # The tuning guide, step 9. keepalive 32 beside Gunicorn's 2 s: the race. proxy_read_timeout 60s beside
    # graceful_timeout 30 and max_requests 1000 of the Gunicorn guide: slow requests are cut off at recycles.
    "guide-n-baseline": {"error": {"NGX001"}, "warning": {"NGX102", "NGX506", "NGX703"}},
    # Steps 2 to 8: the same two; step 4's open_file_cache_errors on at http level keeps a new file 404.
    "guide-n-steps": {"error": {"NGX001"}, "warning": {"NGX102", "NGX505", "NGX703"}},
    # Step 7's socket: "skip upstream keepalive" costs what NGX003 tells, and spares it the race.
    "guide-n-unix": {"warning": {"NGX003", "NGX102", "NGX505", "NGX703"}},
    # The reverse proxy article: location /static with alias .../static, both without the slash.
    "guide-r": {"warning": {"NGX502", "NGX506", "NGX703"}},
    "gunicorn-docs": {"warning": {"NGX202", "NGX506"}},  # The socket in /tmp: PrivateTmp.
    "h5bp": {"warning": {"NGX003"}},
    "heroku-buildpack": {"warning": {"NGX003", "NGX506", "NGX703"}},
    "kubernetes-resolver": {"warning": {"NGX603"}},  # Every target is a variable: little can be compared.
    # Three hosts: keepalive 64 beside 2 s, and in /catalogue/ neither HTTP/1.1 nor the client's address.
    "multi-upstream": {"error": {"NGX001"}, "warning": {"NGX002", "NGX302", "NGX404", "NGX703"}},
    "nginxconfig-io": {"warning": {"NGX508", "NGX703"}},  # Fonts lose the security headers.
    "rails-like": {"warning": {"NGX506"}},
    "websocket-map": {"warning": {"NGX003", "NGX204", "NGX506", "NGX703"}},
    "wordpress-beside": {"warning": {"NGX203", "NGX506", "NGX703"}},  # localhost is two servers.
}
"""What was reviewed, by hand: each is true of its configuration. Notes are not held."""


def site_of_corpus(name: str, folder: Path) -> Site:
    """The configuration, laid out in `folder`, with its Gunicorn beside it."""
    return beside(name, laid_out(name, folder))


def beside(name: str, main: Path) -> Site:
    """A configuration that is laid out, with the Gunicorn of this name."""
    root = parse(Disk(main.parent), str(main))
    said = "\n".join(f"gunicorn.{line}" for line in BESIDE[name].splitlines() or ["workers = 1"])
    return site_beside(root, said)


def said(name: str, folder: Path, level: str) -> set[str]:
    """Ids of the rules that speak at this level."""
    report = check(site_of_corpus(name, folder), strict=True)
    return {one.rule.id for one in report.findings if one.level.value == level}


@pytest.mark.parametrize("name", NAMES)
def test_what_the_check_says_of_it_stays(name: str, tmp_path: Path) -> None:
    """Warnings as reviewed: one more may be a false alarm, one less a fault that nobody hears of."""
    assert EXPECTED[name].get("warning", set()) == said(name, tmp_path, "warning")


@pytest.mark.parametrize("name", NAMES)
def test_no_public_style_has_a_false_error(name: str, tmp_path: Path) -> None:
    """Errors as reviewed: requests do fail there."""
    assert EXPECTED[name].get("error", set()) == said(name, tmp_path, "error")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_proposed_for_it_brings_no_new_fault(name: str, tmp_path: Path) -> None:
    """All fixes in one patch: read again, no rule speaks louder than a note that was silent before."""
    site = site_of_corpus(name, tmp_path)
    edits = together(one.edits for one in check(site, strict=True).findings)
    before = said_loudly(site)
    for file in {edit.file for edit in edits}:
        path = Path(file)
        path.write_text(changed(path.read_text(), [edit for edit in edits if edit.file == file]))
    main = tmp_path / "etc" / "nginx" / "nginx.conf"

    assert said_loudly(beside(name, main)) - before == set()


def said_loudly(site: Site) -> set[str]:
    """Ids of errors and warnings."""
    return {one.rule.id for one in check(site, strict=True).findings if one.level is not Severity.INFO}
