"""What an operator reads: `README.md`, which file goes where, in which order, and back; `main.conf.txt`, lines for
nginx.conf itself, which no file beside it can set.
"""

from __future__ import annotations

from collections.abc import Collection

from gunicorn_autotune.nginx.site.gunicorn import Gunicorn
from gunicorn_autotune.nginx.write.fitting import connections_needed, most_requests
from gunicorn_autotune.nginx.write.options import Options

WHAT = {
    "conf.d/00-autotune.conf": ("http", "formats of the timing log, `autotune` and `autotune_json`; one for all sites"),
    "conf.d/{name}-http.conf": ("http", "where Gunicorn listens, how connections to it are kept; zones of the limits"),
    "conf.d/{name}-site.conf": ("http", "the server block; it includes the rest"),
    "conf.d/{name}-unknown.conf": ("http", "requests for other hosts: closed without an answer"),
    "conf.d/{name}-metrics.conf": ("http", "`/nginx_status` and autotune's exporter, for this host only"),
    "{name}/tls.conf": ("server", "certificate, protocols, ciphers"),
    "{name}/hsts.conf": ("server, location", "https only, said to browsers"),
    "{name}/tuning.conf": ("server", "times and sizes towards clients and Gunicorn"),
    "{name}/gzip.conf": ("server", "compression, JSON too"),
    "{name}/errors.conf": ("server", "pages when Gunicorn is down, maintenance, too many requests"),
    "{name}/static.conf": ("server", "files that nginx serves itself"),
    "{name}/limits.conf": ("location", "what one client may ask, 429 beyond"),
    "{name}/proxy.conf": ("location", "hand a request to Gunicorn, with every header"),
    "{name}/stream.conf": ("location", "after proxy.conf: server-sent events, long answers"),
    "{name}/pages/50x.html": ("", "the pages; yours to change"),
    "main.conf.txt": ("main", "lines to change in nginx.conf by hand"),
}


def readme(options: Options, files: Collection[str]) -> str:
    """The page."""
    lines = [(template.format(name=options.name), *row) for template, row in WHAT.items()]
    table = "\n".join(f"| `{file}` | {context} | {what} |" for file, context, what in lines if file in files)
    return TEXT.format(
        name=options.name,
        dir=options.nginx_dir,
        table=table,
        steps=_steps(options, _url(options)),
        unknown=UNKNOWN.format(name=options.name) if options.domains else KNOWN,
        again=AGAIN.format(command=options.command) if options.command else SAME,
    )


def _url(options: Options) -> str:
    """Of the site's first page; any name stands for `*`."""
    host = (options.domains or ("localhost",))[0].replace("*", "www")
    scheme, usual = ("https", "443") if options.tls else ("http", "80")
    port = options.listening[0].rpartition(":")[2]
    return f"{scheme}://{host}/" if port == usual else f"{scheme}://{host}:{port}/"


def _steps(options: Options, url: str) -> str:
    name, folder = options.name, options.nginx_dir
    steps = {
        f"sudo cp -a {folder} {folder}.before": "the way back; this name must be free",
        f"sudo cp -r conf.d {name} {folder}/": "in this folder",
        f"sudo chmod -R a+rX {folder}/{name}": "nginx's user shows the pages",
        "sudo nginx -t": 'nothing is in force yet; it must say "test is successful"',
        "sudo systemctl reload nginx": "requests under way are finished by the old nginx workers",
        f"curl -i {url}": "the site",
        f"tail {options.log_dir}/{name}.timing.log": "where its time went",
        f"curl {options.metrics_listen}/nginx_status": "connections",
    }
    columns = max(map(len, steps))
    return "\n".join(f"$ {step.ljust(columns)}  # {why}" for step, why in steps.items())


UNKNOWN = """\
| `a duplicate default server` | delete `conf.d/{name}-unknown.conf`, or the other: on Debian `sites-enabled/default` |
"""
KNOWN = """\
| `a duplicate default server` | delete the other, on Debian `sites-enabled/default`; or render with `--domain` |
"""
TEXT = """\
# nginx for {name}

| file | context | what |
|---|---|---|
{table}

The folders are laid out as below `{dir}`, whose `nginx.conf` stays as the distribution made it: it reads
`conf.d/*.conf`, and those include `{name}/*.conf` by a path relative to `nginx.conf`.

## Put it in force

```console
{steps}
```

## Go back

```console
$ sudo mv {dir} {dir}.failed && sudo mv {dir}.before {dir}
$ sudo nginx -t && sudo systemctl reload nginx
```

## If `nginx -t` refuses

| it says | do |
|---|---|
{unknown}| `Address family not supported` | a host without IPv6: delete the `listen [::]` lines |
| `cannot load certificate` | the paths in `{name}/tls.conf`; nginx reads them as root |
| `unknown directive` | another nginx than the one named in the header: render with `--nginx-version` |
| `conflicting server name` | another file serves this host too |
| `could not build server_names_hash` | a long name: `server_names_hash_bucket_size 512;` in `http` of `nginx.conf` |

{again}"""
SAME = """\
After a change of Gunicorn's settings, render again with the same options; `--diff` shows what would change.
"""
AGAIN = """\
## After a change of Gunicorn's settings

```console
$ {command} --diff     # what would change
$ {command} --force
```
"""


def main(gunicorn: Gunicorn, options: Options) -> str:
    """Not a configuration: an operator changes the lines by hand."""
    connections = connections_needed(gunicorn, options)
    return MAIN.format(
        dir=options.nginx_dir,
        connections=connections,
        files=max(65535, 2 * connections),
        site=most_requests(gunicorn, options),
    )


MAIN = """\
# Change these lines in {dir}/nginx.conf by hand: no included file may set them, and "events" may appear only once.
# Without them the site works, up to Debian's 768 connections for each nginx worker.

worker_processes     auto;    # one for each CPU
worker_rlimit_nofile {files};   # at least 2 x worker_connections; `nginx -t` does not say when it is less

events {{
    worker_connections {connections};  # two for each proxied request (up to {site}), one for each idle client
}}

# Then: sudo nginx -t && sudo systemctl reload nginx. The limits that a worker really has (the master has others):
#     grep 'open files' /proc/$(pgrep -n -f 'nginx: worker')/limits
"""
