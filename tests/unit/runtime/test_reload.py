"""What a reload takes over, and when Gunicorn's own way is the better one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gunicorn_autotune.model.history import History, Recycling
from gunicorn_autotune.model.status import Mode
from gunicorn_autotune.runtime import reload
from gunicorn_autotune.testing import MIB, a_host, a_policy, a_snapshot

BIND = ("127.0.0.1", 8000)


class Cfg(SimpleNamespace):
    """As much of Gunicorn's configuration as a reload touches."""

    def set(self, name: str, value: Any) -> None:
        """As Gunicorn's."""
        setattr(self, name, value)


def a_server(**fields: Any) -> Any:
    """An arbiter that has just read its configuration again."""
    log = SimpleNamespace(warning=lambda text: None)
    cfg = Cfg(workers=4, graceful_timeout=30, address=fields.pop("address", BIND))
    return SimpleNamespace(cfg=cfg, log=log, num_workers=4, **{"reexec_pid": 0, "master_pid": 0} | fields)


def a_tune(**fields: Any) -> Any:
    """Memory has room for two workers more."""
    host = a_host(memory_limit_bytes=1000 * MIB, memory_used_bytes=750 * MIB)
    known = {
        "mode": Mode.ACTIVE, "policy": a_policy(), "history": History(fresh_bytes=80 * MIB), "tracked": {},
        "snapshot": a_snapshot(workers=4, host=host), "address_before_reload": BIND, "after_reload": {},
    }  # fmt: skip
    return SimpleNamespace(**known | fields)


def spawned(server: Any, tune: Any, target: int = 4) -> int:
    """Workers that Gunicorn would start at once."""
    reload.prepare(server, tune, target)
    return int(server.cfg.workers)


def test_a_set_that_does_not_fit_is_not_started() -> None:
    """Four more, and room for two."""
    assert spawned(a_server(), a_tune()) == 0


def test_what_was_changed_for_the_moment_is_put_back() -> None:
    """The configured count and Gunicorn's patience."""
    server, tune = a_server(), a_tune()
    reload.prepare(server, tune, 4)
    reload.finish(server, tune)

    assert (server.cfg.workers, server.cfg.graceful_timeout, tune.after_reload) == (4, 30, {})


@pytest.mark.parametrize(
    ("server", "tune"),
    [
        ({"reexec_pid": 7}, {}),
        ({"master_pid": 7}, {}),
        ({"address": ("127.0.0.1", 9000)}, {}),
        ({}, {"snapshot": None}),
        ({}, {"history": None}),
        ({}, {"history": History()}),
    ],
)
def test_gunicorn_reloads_as_ever_where_nobody_could_carry_the_batches_out(
    server: dict[str, Any], tune: dict[str, Any]
) -> None:
    """An upgrade under way, another address, or nothing known of the room there is."""
    assert spawned(a_server(**server), a_tune(**tune)) == 4


def test_a_worker_alone_is_reloaded_as_ever() -> None:
    """It is never sent before its replacement, so in batches it would never be replaced."""
    assert spawned(a_server(), a_tune(policy=a_policy(memory_reserve_share=0.5)), target=1) == 1


@pytest.mark.parametrize("mode", [Mode.ACTIVE, Mode.FALLBACK])
def test_the_count_kept_is_the_one_without_a_replacement(mode: Mode) -> None:
    """In fallback what was under way is stale, and the present count is what the operator sees."""
    tune = a_tune(mode=mode, history=History(recycling=Recycling((1,), 3, 0.0)))
    reload.begin(a_server(), tune)

    assert tune.target_before_reload == (3 if mode is Mode.ACTIVE else 4)


def test_a_reload_ends_the_recycle_under_way() -> None:
    """The count is set anew."""
    tune = a_tune(history=History(recycling=Recycling((1,), 3, 0.0), no_recycle_before=99.0))
    reload.prepare(a_server(), tune, 4)

    assert (tune.history.recycling, tune.history.no_recycle_before) == (None, 0.0)
