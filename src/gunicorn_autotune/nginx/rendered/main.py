"""`main.conf.txt`: lines for nginx.conf itself, which no file beside it can set."""

from __future__ import annotations

from gunicorn_autotune.nginx.fitting import connections_needed, most_requests
from gunicorn_autotune.nginx.gunicorn import Gunicorn
from gunicorn_autotune.nginx.options import Options


def text(gunicorn: Gunicorn, options: Options) -> str:
    """Not a configuration: an operator changes the lines by hand."""
    connections = connections_needed(gunicorn, options)
    return TEXT.format(
        dir=options.nginx_dir,
        connections=connections,
        files=max(65535, 2 * connections),
        site=most_requests(gunicorn, options),
    )


TEXT = """\
# Change these lines in {dir}/nginx.conf by hand; no included file may hold them, "events" may stand only once.
# Without them the site works, up to Debian's 768 connections for each nginx worker.

worker_processes     auto;    # one for each CPU
worker_rlimit_nofile {files};   # at least 2 x worker_connections; `nginx -t` does not tell when it is less

events {{
    worker_connections {connections};  # two for each proxied request (up to {site}), one for each idle client
}}

# Then: sudo nginx -t && sudo systemctl reload nginx. What a worker really got (the master's limits are others):
#     grep 'open files' /proc/$(pgrep -n -f 'nginx: worker')/limits
"""
