"""The nginx files that the repository ships are what `nginx render` gives today."""

from __future__ import annotations

from pathlib import Path

from gunicorn_autotune.nginx.write.shipped import shipped

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "nginx"


def test_the_shipped_files_are_fresh() -> None:
    """`make docs` was run after the last change of the renderer, and nothing else lies there."""
    found = {str(path.relative_to(FOLDER)): path.read_text() for path in FOLDER.rglob("*") if path.is_file()}

    assert found == shipped()
