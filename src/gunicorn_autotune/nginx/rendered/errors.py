"""`NAME/errors.conf`, in a server, and the pages it shows: Gunicorn down, maintenance, too many requests."""

from __future__ import annotations

from gunicorn_autotune.nginx.options import Options
from gunicorn_autotune.nginx.rendered.lines import Row, block, rows

RETRY_AFTER_SECONDS = 30
PAGES = {
    "50x.html": ("Back in a moment", "The site does not answer right now. Please try again in a minute."),
    "maintenance.html": ("Maintenance", "We are working on the site and will be back shortly."),
    "429.html": ("One moment, please", "That was a lot of requests in a short time. Please try again in a minute."),
}


def text(options: Options) -> str:
    """errors.conf; answers of the app itself, errors too, are passed on as they are."""
    url, pages = f"/.{options.name}-pages/", f"{options.folder}/pages/"
    hsts: list[Row] = [("include", f"{options.name}/hsts.conf", "an add_header here drops the server's")]
    return rows(
        [
            "# Maintenance, on and off at once, without a reload; static files are served on:",
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
