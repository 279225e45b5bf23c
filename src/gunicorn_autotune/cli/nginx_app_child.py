"""The process behind nginx_app.py: `python -m gunicorn_autotune.cli.nginx_app_child MODULE:NAME` prints one JSON line.

The app is imported from the current folder by Gunicorn's own loader; no request is made and nothing is served.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

UNWRAPPED = 5
"""Layers of middleware (`ProxyFix(app).app`) that are looked through."""


def static_of(app: Any) -> list[dict[str, str]]:
    """`[{"url": "/static/", "folder": "/srv/shop/static"}]` of a Flask app; a TypeError when it is none."""
    for _ in range(UNWRAPPED):
        if hasattr(app, "url_map") and hasattr(app, "blueprints"):
            break
        app = getattr(app, "app", app)
    else:
        raise TypeError("this is no Flask app; name its folders with --static FOLDER=/url/")
    found = []
    for rule in app.url_map.iter_rules():
        owner, _, name = rule.endpoint.rpartition(".")
        holder = app.blueprints.get(owner) if owner else app
        if name == "static" and rule.rule.endswith("<path:filename>") and getattr(holder, "static_folder", None):
            url = rule.rule.removesuffix("<path:filename>")
            found.append({"url": url, "folder": os.path.abspath(holder.static_folder)})  # noqa: PTH100
    return found


def _main(location: str) -> None:
    # What an app prints while it is imported must not end up in the answer.
    answer = os.dup(1)
    os.dup2(2, 1)
    sys.path.insert(0, os.getcwd())  # noqa: PTH109
    found: dict[str, Any]
    try:
        from gunicorn.util import import_app

        found = {"static": static_of(import_app(location))}
    except Exception as error:
        found = {"error": " ".join(str(error).split()) or type(error).__name__}
    sys.stdout.flush()
    os.write(answer, json.dumps(found).encode() + b"\n")


if __name__ == "__main__":
    _main(sys.argv[1])
