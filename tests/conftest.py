"""For all tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from tests.nginx_tested import self_made_keys

# Nothing timed decides a test.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with certificate.pem, key.pem and dhparam.pem."""
    return self_made_keys(tmp_path_factory.mktemp("keys"))
