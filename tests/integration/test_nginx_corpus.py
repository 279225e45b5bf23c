"""The corpus is what it says: configurations that a real nginx accepts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.nginx_corpus import NAMES, laid_out
from tests.nginx_tested import at_home, nginx_says

pytestmark = [pytest.mark.real, pytest.mark.once]


@pytest.mark.parametrize("name", NAMES)
def test_nginx_accepts_the_corpus(name: str, tmp_path: Path, keys: Path) -> None:
    """With certificates, logs, ports, user and host names of this host in their places."""
    config = laid_out(name, tmp_path)
    for path in (tmp_path / "etc").rglob("*"):
        if path.is_file():
            path.write_text(at_home(path.read_text(), keys))

    said = nginx_says(config)

    assert 0 == said.returncode, said.stderr
