"""Static folders of a Flask app, asked of the app itself in a process of its own (nginx_app_child.py)."""

from __future__ import annotations

import json
import subprocess
import sys

from gunicorn_autotune.cli.init_rules import check_app
from gunicorn_autotune.cli.nginx_words import check_folder
from gunicorn_autotune.cli.style import CommandError
from gunicorn_autotune.nginx.write.options import Folder

TIMEOUT_SECONDS = 60


def static_folders(app: str, folder: str) -> tuple[Folder, ...]:
    """URL and path of every static folder, those of blueprints too; imported from `folder`, as Gunicorn would."""
    command = [sys.executable, "-m", "gunicorn_autotune.cli.nginx_app_child", check_app(app)]
    try:
        ended = subprocess.run(
            command, cwd=folder or None, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandError(f"--app = {app!r}: {error}") from None
    try:
        found = json.loads(ended.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        said = ended.stderr.decode("utf-8", "replace").split("\n")
        found = {"error": next((line for line in reversed(said) if line.strip()), f"exit code {ended.returncode}")}
    if "error" in found:
        raise CommandError(f"--app = {app!r}: {found['error']}")
    return tuple(check_folder("--app", f"{one['folder']}={one['url']}", "") for one in found["static"])
