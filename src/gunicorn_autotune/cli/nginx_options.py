"""The options of `nginx render` that describe the site, and what they come to on this host."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable
from pathlib import Path

from gunicorn_autotune.cli import nginx_words as words
from gunicorn_autotune.cli.asking import Place, parse_place
from gunicorn_autotune.cli.nginx_app import static_folders
from gunicorn_autotune.cli.nginx_binary import find_nginx, nginx_version
from gunicorn_autotune.cli.style import CommandError
from gunicorn_autotune.nginx.site import defaults
from gunicorn_autotune.nginx.site.gunicorn import Gunicorn
from gunicorn_autotune.nginx.write.options import Options

_DEFAULT = Options()


def add_site_options(parser: argparse.ArgumentParser) -> None:
    """What the site is."""
    add = parser.add_argument
    add("--name", help="of the site, in every name nginx keeps (default: the folder of --config, else this one)")
    add("--domain", action="append", default=[], metavar="HOST", help="a name of the site; repeat for more")
    add("--tls", nargs=2, metavar=("CERT", "KEY"), help="serve https with this certificate, redirect http")
    add("--static", action="append", default=[], metavar="FOLDER[=/url/]", help="served by nginx (default: /static/)")
    add("--media", action="append", default=[], metavar="FOLDER[=/url/]", help="uploads, the same (default: /media/)")
    add("--app", metavar="MODULE:NAME", help="import this Flask app and serve its static folders")
    add("--stream", action="append", default=[], metavar="/url/", help="answers that come bit by bit: not buffered")
    add("--server-address", action="append", default=[], metavar="ADDRESS",
        help="where Gunicorn is reached, if `bind` does not tell: HOST:PORT; repeat for several hosts")  # fmt: skip
    add("--listen", action="append", default=[], metavar="[ADDRESS:]PORT", help="of the site (default: 80 or 443)")
    add("--redirect-from", action="append", default=[], metavar="[ADDRESS:]PORT", help="with --tls (default: 80)")
    add(
        "--rate",
        type=int,
        default=_DEFAULT.rate,
        help="requests a second that limit each client (default: no limits)",
    )
    add("--largest-body", default=_DEFAULT.largest_body, metavar="SIZE", help="of an upload (20m)")
    add("--exporter", metavar="ADDRESS", help="autotune's metrics behind nginx (default: Gunicorn's own); off: none")
    add("--metrics-listen", default=_DEFAULT.metrics_listen, metavar="ADDRESS:PORT", help="where the metrics are shown")
    add("--metrics-allow", action="append", default=[], metavar="ADDRESS", help="who else may see them; repeat")
    add("--nginx-version", metavar="VERSION", help="(default: the one installed here)")
    add("--nginx-workers", type=int, default=os.cpu_count() or 1, metavar="N", help="(default: the CPUs of this host)")
    add("--nginx-dir", default=_DEFAULT.nginx_dir, metavar="DIR", help=f"({_DEFAULT.nginx_dir})")
    add("--log-dir", default=_DEFAULT.log_dir, metavar="DIR", help=f"({_DEFAULT.log_dir})")


def options_from(given: argparse.Namespace, gunicorn: Gunicorn) -> tuple[Options, list[str]]:
    """Checked options, and remarks on what was guessed; a CommandError of one line for a bad value."""
    if given.redirect_from and not given.tls:
        raise CommandError("--redirect-from: must come with --tls, there is no https to redirect to")
    version, remarks = _version(given)
    static = words.check_folders("--static", given.static, "/static/")
    if given.app:
        static += static_folders(given.app, str(gunicorn.get("chdir", "")))
    options = Options(
        name=words.check_name(given.name or _name(given.config)),
        nginx_version=version,
        nginx_workers=words.check_count("--nginx-workers", given.nginx_workers, 1, 1024),
        domains=_once(words.check_domain(one) for one in given.domain),
        listen=_once(words.check_listen("--listen", one) for one in given.listen),
        plain=_once(words.check_listen("--redirect-from", one) for one in given.redirect_from),
        certificate=_certificate(given, 0),
        key=_certificate(given, 1),
        static=static,
        media=words.check_folders("--media", given.media, "/media/"),
        streams=_once(words.check_url("--stream", one) for one in given.stream),
        servers=_once(words.check_server(one) for one in given.server_address),
        exporter=_exporter(given, gunicorn),
        metrics_listen=words.check_listen("--metrics-listen", given.metrics_listen),
        metrics_allow=_once([*_DEFAULT.metrics_allow, *map(words.check_network, given.metrics_allow)]),
        rate=words.check_count("--rate", given.rate, 0, 1_000_000),
        largest_body=words.check_size(given.largest_body),
        nginx_dir=words.check_plain_path("--nginx-dir", given.nginx_dir),
        log_dir=words.check_plain_path("--log-dir", given.log_dir),
    )
    words.check_urls_differ([*options.static, *options.media], [*options.streams, f"/.{options.name}-pages/"])
    return options, remarks + _missing(options)


def _once(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _version(given: argparse.Namespace) -> tuple[str, list[str]]:
    if given.nginx_version is not None:
        return words.check_version(given.nginx_version), []
    binary = find_nginx()
    version = nginx_version(binary) if binary else ""
    if version:
        return version, []
    return defaults.ASSUMED, [f"no nginx here: written for {defaults.ASSUMED}; --nginx-version names another"]


def _name(config: str | None) -> str:
    path = Path(config.removeprefix("file:")) if config and not config.startswith("python:") else Path("x")
    folder = Path(os.path.abspath(path)).parent.name.lower()  # noqa: PTH100 (a link such as `current` must stay one)
    return re.sub(r"[^a-z0-9_-]+", "-", folder).strip("-_")[:40] or _DEFAULT.name


def _certificate(given: argparse.Namespace, which: int) -> str:
    return words.check_path("--tls", os.path.abspath(given.tls[which])) if given.tls else ""  # noqa: PTH100


def _exporter(given: argparse.Namespace, gunicorn: Gunicorn) -> str:
    """A URL for proxy_pass, without a path; empty where there is none."""
    policy = gunicorn.policy or {}
    # With Gunicorn elsewhere its loopback is not ours.
    text = given.exporter or ("off" if given.server_address else str(policy.get("metrics", "off")))
    if text == "off":
        return ""
    place = parse_place(text, "--exporter" if given.exporter else "metrics")
    if place.address.path:
        return f"http://unix:{words.check_proxied_path('--exporter', place.address.path)}"
    tls = place.tls or (not given.exporter and bool(policy.get("metrics_cert_file")))
    words.check_server(str(place.address))
    return str(Place(place.address, tls))


def _missing(options: Options) -> list[str]:
    """Paths that are not on this host, which may be another than nginx's."""
    paths = [folder.path for folder in (*options.static, *options.media)]
    paths += [path for path in (options.certificate, options.key) if path]
    return [f"{path} does not exist here; nginx will want it" for path in paths if not os.path.exists(path)]  # noqa: PTH110


def folder_of(out: str) -> Path:
    """--out, absolute; a CommandError where a file stands in its place."""
    folder = Path(os.path.abspath(out))  # noqa: PTH100
    if folder.exists() and not folder.is_dir():
        raise CommandError(f"--out = {out!r}: must be a folder")
    return folder
