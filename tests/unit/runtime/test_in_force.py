"""Gunicorn's settings as the status document tells them."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config

from gunicorn_autotune.runtime.in_force import LARGEST_BYTES, published


def a_server(**settings: Any) -> Any:
    """An arbiter with these settings."""
    cfg = Config()
    cfg.env_orig = {}
    for name, value in settings.items():
        cfg.set(name, value)
    return SimpleNamespace(cfg=cfg, worker_class=cfg.worker_class)


def test_no_folder_and_no_secret_is_told() -> None:
    """Of TLS only whether it is on; nothing of the working directory, the environment or the app."""
    told = json.dumps(published(a_server(certfile="/etc/hostname", keyfile="/etc/hosts", raw_env=["KEY=hunter2"])))

    assert [] == [word for word in ("/etc/host", "hunter2", "chdir", "KEY") if word in told]
    assert '"tls": true' in told


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, []),
        ({"timeout": 30}, []),
        ({"timeout": 31, "bind": "unix:/run/x"}, ["bind", "timeout"]),
        ({"certfile": "/etc/hosts"}, ["tls"]),
        ({"forwarded_allow_ips": "*"}, ["forwarded_allow_ips"]),
        ({"chdir": "/"}, []),
    ],
)
def test_settings_that_somebody_set_are_named(settings: dict[str, Any], names: list[str]) -> None:
    """All others are left at this version's default."""
    assert names == published(a_server(**settings))["not_default"]


def test_default_from_a_variable_is_no_default() -> None:
    """WEB_CONCURRENCY becomes the default of `workers` when Gunicorn is imported."""
    server = a_server()
    server.cfg.env_orig = {"WEB_CONCURRENCY": "1"}

    assert ["workers"] == published(server)["not_default"]


def test_list_without_end_is_missing() -> None:
    """Else the whole status document would not fit into its room."""
    networks = ",".join(f"10.{i // 256}.{i % 256}.0/24" for i in range(5000))
    told = published(a_server(forwarded_allow_ips=networks))

    assert (["missing"], True) == (list(told), f"more than {LARGEST_BYTES}" in told["missing"])


def test_settings_that_cannot_be_read_are_missing() -> None:
    """A custom Gunicorn may have anything; the server must start all the same."""
    assert {"missing": "the settings cannot be read: AttributeError: cfg"} == published(_Odd())


class _Odd:
    @property
    def cfg(self) -> Any:
        """Not there."""
        raise AttributeError("cfg")
