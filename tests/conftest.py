"""For all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.nginx_tested import self_made_keys

# Nothing timed decides a test, and no new example turns a run red that changed nothing: what is drawn follows from the
# test itself. HYPOTHESIS_PROFILE=searching looks for new ones.
settings.register_profile("searching", deadline=None)
settings.register_profile("same", deadline=None, derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with certificate.pem, key.pem and dhparam.pem."""
    return self_made_keys(tmp_path_factory.mktemp("keys"))
