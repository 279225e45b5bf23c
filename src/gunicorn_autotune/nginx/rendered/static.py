"""`NAME/static.conf`, in a server: files that nginx serves itself."""

from __future__ import annotations

from gunicorn_autotune.nginx.fitting import quoted
from gunicorn_autotune.nginx.options import Folder, Options
from gunicorn_autotune.nginx.rendered.lines import Row, block


def text(options: Options) -> str:
    """One location for each folder; `alias` and location both end in a slash, always."""
    static = [_location(options, one, "1d", "30d once names hold a hash", compressed=True) for one in options.static]
    media = [_location(options, one, "1h", "uploads may be replaced", compressed=False) for one in options.media]
    return "# nginx's user must be able to enter every folder on the way.\n" + "\n".join(static + media)


def _location(options: Options, folder: Folder, expires: str, why: str, *, compressed: bool) -> str:
    lines: list[Row] = [
        ("alias", quoted(folder.path)),
        ("expires", expires, why),
        ("access_log", "off"),
        *([("gzip_static", "on", "sends style.css.gz where there is one")] if compressed else []),
        ("open_file_cache", "max=10000 inactive=30s"),
        ("open_file_cache_valid", "30s", "a replaced file may be served this long"),
        ("open_file_cache_min_uses", "2"),
        ("open_file_cache_errors", "off", "else a file deployed just now stays 404"),
        ("add_header", "X-Content-Type-Options nosniff always"),
        *([("include", f"{options.name}/hsts.conf", "an add_header here drops the server's")] if options.tls else []),
    ]
    return block(f"location ^~ {folder.url}", lines)
