"""Gunicorn's settings and a few options in, a whole set of nginx files out."""

from __future__ import annotations

from gunicorn_autotune.nginx.site.gunicorn import Gunicorn
from gunicorn_autotune.nginx.write.options import Options
from gunicorn_autotune.nginx.write.rendered import files, http, location, server, tuning
from gunicorn_autotune.nginx.write.rendered.readme import main, readme
from gunicorn_autotune.nginx.write.stamp import stamped

_MARKDOWN = ("<!-- ", " -->")
_SIZE = ("max_workers", "threads", "worker_class", "worker_connections")
_HEADERS = ("limit_request_field_size", "limit_request_line")
USES = {
    "-http.conf": ("bind", "keepalive", "umask", *_SIZE),
    "-site.conf": ("backlog", *_HEADERS),
    "-unknown.conf": ("backlog", *_HEADERS),
    "/proxy.conf": ("keepalive", "tls", "worker_class"),
    "/stream.conf": ("graceful_timeout", "timeout", "worker_class"),
    "/limits.conf": ("backlog", *_SIZE),
    "/tuning.conf": ("graceful_timeout", "timeout", "worker_class", *_HEADERS),
    "main.conf.txt": ("backlog", *_SIZE),
}
"""Gunicorn's settings that a file follows, by the end of its name; max_workers is autotune's, else `workers`."""


def render(gunicorn: Gunicorn, options: Options) -> dict[str, str]:
    """File name -> text, laid out as below /etc/nginx: `conf.d/shop-http.conf`, `shop/proxy.conf`, `README.md`.

    What http alone may hold lies in conf.d under names of the site's own; all tuning stands in server blocks, so that
    nothing collides with a distribution's nginx.conf. A FittingError names a setting that nginx cannot be given.
    """
    bodies = _bodies(gunicorn, options)
    bodies["README.md"] = readme(options, bodies)
    return {name: _stamped(name, body, gunicorn, options) for name, body in bodies.items()}


def _bodies(gunicorn: Gunicorn, options: Options) -> dict[str, str]:
    name = options.name
    made = {
        "conf.d/00-autotune.conf": http.LOG,
        f"conf.d/{name}-http.conf": http.http(gunicorn, options),
        f"conf.d/{name}-site.conf": server.site(gunicorn, options),
        f"conf.d/{name}-unknown.conf": server.unknown(gunicorn, options) if options.domains else "",
        f"conf.d/{name}-metrics.conf": server.metrics(options),
        f"{name}/proxy.conf": location.proxy(gunicorn, options),
        f"{name}/stream.conf": location.stream(gunicorn),
        f"{name}/limits.conf": location.limits(gunicorn, options) if options.rate else "",
        f"{name}/tuning.conf": tuning.tuning(gunicorn, options),
        f"{name}/gzip.conf": tuning.gzip(),
        f"{name}/static.conf": files.static(options) if options.static or options.media else "",
        f"{name}/errors.conf": files.errors(options),
        f"{name}/tls.conf": tuning.tls(options) if options.tls else "",
        f"{name}/hsts.conf": tuning.hsts() if options.tls else "",
        **{f"{name}/pages/{page}": files.page(page) for page in files.PAGES},
        "main.conf.txt": main(gunicorn, options),
    }
    return {file: text for file, text in made.items() if text}


def _stamped(name: str, body: str, gunicorn: Gunicorn, options: Options) -> str:
    """Every file but the pages: what they hold is told to every visitor."""
    if name.endswith(".html"):
        return body
    uses = next((names for end, names in USES.items() if name.endswith(end)), ())
    if name.endswith(".md"):
        return stamped("\n" + body, gunicorn, options, uses=uses, marks=_MARKDOWN)
    return stamped("\n" + body, gunicorn, options, uses=uses)
