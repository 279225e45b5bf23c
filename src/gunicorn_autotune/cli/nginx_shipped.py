"""`python -m gunicorn_autotune.cli.nginx_shipped FOLDER` writes the repository's nginx/ anew; `make docs` runs it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from gunicorn_autotune.nginx.write.shipped import CASES, shipped


def write(folder: Path) -> None:
    """The folders of the cases hold what is rendered, and nothing else."""
    for case in CASES:
        shutil.rmtree(folder / case, ignore_errors=True)
    for name, text in shipped().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
