"""What `install()` does with a fault of its own while Gunicorn boots."""

from __future__ import annotations

from typing import Any

import pytest

from gunicorn_autotune.runtime import install


def test_a_fault_of_ours_is_told_and_the_boot_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Gunicorn has no error log yet: the traceback goes to stderr."""

    def broken(settings: dict[str, Any]) -> None:
        raise RuntimeError("broken here")

    monkeypatch.setattr(install, "_remember", broken)
    install.install({}, {})
    told = capsys.readouterr().err

    assert ("could not be installed" in told, "RuntimeError: broken here" in told) == (True, True)
