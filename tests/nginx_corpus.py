"""Configurations as they are found in the wild, laid out as on a real host.

Each folder of tests/fixtures/nginx/corpus is an /etc/nginx; its `letsencrypt` stands for /etc/letsencrypt.
"""

from __future__ import annotations

import shutil
from pathlib import Path

FIXTURES = Path(__file__).parent / "fixtures" / "nginx"
NAMES = sorted(folder.name for folder in (FIXTURES / "corpus").iterdir())


def laid_out(name: str, root: Path) -> Path:
    """The configuration `name` below `root`, its absolute paths too; gives the path of nginx.conf.

    Line numbers are those of the fixture. Files that every Debian host has are there: mime.types, proxy_params, ...
    """
    home = root / "etc" / "nginx"
    shutil.copytree(FIXTURES / "stock", home)
    shutil.copytree(FIXTURES / "corpus" / name, home, dirs_exist_ok=True)
    for path in home.rglob("*"):
        if path.is_file():
            text = path.read_text()
            for folder in ("/etc/nginx/", "/etc/letsencrypt/"):
                text = text.replace(folder, f"{root}{folder}")
            path.write_text(text)
    if (home / "letsencrypt").is_dir():
        (home / "letsencrypt").rename(root / "etc" / "letsencrypt")
    return home / "nginx.conf"
