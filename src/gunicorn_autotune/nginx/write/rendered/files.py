"""What nginx answers with files of its own, in a server: `static.conf`; `errors.conf` and the pages it shows when
Gunicorn is down, during maintenance and after too many requests.
"""

from __future__ import annotations

from gunicorn_autotune.nginx.write.fitting import as_word
from gunicorn_autotune.nginx.write.options import Folder, Options
from gunicorn_autotune.nginx.write.rendered.lines import Row, block, rows


def static(options: Options) -> str:
    """One location for each folder; `alias` and location both end in a slash, always."""
    static = [_folder(options, one, "1d", "30d once names hold a hash", compressed=True) for one in options.static]
    media = [_folder(options, one, "1h", "uploads may be replaced", compressed=False) for one in options.media]
    return "# nginx's user must be able to enter every folder on the way.\n" + "\n".join(static + media)


def _folder(options: Options, folder: Folder, expires: str, why: str, *, compressed: bool) -> str:
    lines: list[Row] = [
        ("alias", as_word(folder.path)),
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


RETRY_AFTER_SECONDS = 30
PAGES = {
    "50x.html": ("Back in a moment", "The site does not answer right now. Please try again in a minute."),
    "maintenance.html": ("Maintenance", "We are working on the site and will be back shortly."),
    "429.html": ("One moment, please", "That was a lot of requests in a short time. Please try again in a minute."),
}


def errors(options: Options) -> str:
    """errors.conf; answers of the app itself, errors too, are passed on as they are."""
    url, pages = f"/.{options.name}-pages/", f"{options.folder}/pages/"
    hsts: list[Row] = [("include", f"{options.name}/hsts.conf", "an add_header here drops the server's")]
    return rows(
        [
            "# Maintenance takes effect at once, without a reload; static files are still served:",
            f"#     sudo touch {options.folder}/maintenance.on",
            f"#     sudo rm {options.folder}/maintenance.on",
            ("error_page", f"502 504 {url}50x.html"),
            ("error_page", f"503 {url}maintenance.html"),
            ("error_page", f"429 {url}429.html"),
            "",
            f"location ^~ {url} {{",
            "    internal;",
            f"    alias {pages};",
            "}",
            "",
        ]
    ) + block(
        f"location = {url}maintenance.html",
        [
            "internal;",
            ("alias", f"{pages}maintenance.html"),
            ("add_header", f"Retry-After {RETRY_AFTER_SECONDS} always"),
            *(hsts if options.tls else []),
        ],
    )


def page(name: str) -> str:
    """One page, without anything to load."""
    title, sentence = PAGES[name]
    return HTML.format(title=title, sentence=sentence)


HTML = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>
  body {{ margin: 15vh auto; max-width: 30em; padding: 0 1em; font: 1.1em/1.5 system-ui, sans-serif; }}
  :root {{ color-scheme: light dark; }}
</style>
<h1>{title}</h1>
<p>{sentence}</p>
</html>
"""
