"""Configurations in the style of public ones: what the check says of each was read by hand, and stays."""

from __future__ import annotations

from pathlib import Path

from gunicorn_autotune.cli.nginx_files import Disk
from gunicorn_autotune.nginx.parse import parse
from gunicorn_autotune.nginx.site import Site
from tests.nginx_corpus import laid_out
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


def site_of_corpus(name: str, folder: Path) -> Site:
    """The configuration, laid out in `folder`, with its Gunicorn beside it."""
    main = laid_out(name, folder)
    root = parse(Disk(main.parent), str(main))
    said = "\n".join(f"gunicorn.{line}" for line in BESIDE[name].splitlines() or ["workers = 1"])
    return site_beside(root, said)
