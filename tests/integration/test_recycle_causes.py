"""Workers are recycled for every cause there is, the replacement first, and nobody notices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.faults.steady import steady
from tests.server import serving, wait_for

pytestmark = pytest.mark.real
AT_ONCE = {"recycle_gap_seconds": 0, "recycle_lifetime_seconds": 0, "recycles_per_hour": 36000}
MAX_REQUESTS = "workers = 2\nmax_requests = 80\nmax_requests_jitter = 40"
MIB = 1 << 20


def exits(server: Any, reason: str) -> float:
    """Workers that have left for this reason."""
    return float(server.metric(f'gunicorn_worker_exits_total{{reason="{reason}"}}'))


@pytest.mark.parametrize("worker_class", ["sync", "gthread"])
def test_max_requests_is_kept_by_us_with_the_replacement_first(worker_class: str, tmp_path: Path) -> None:
    """Workers leave at Gunicorn's max_requests; each replacement is ready before, and no request fails."""
    config = f"{MAX_REQUESTS}\nworker_class = {worker_class!r}\nthreads = {4 if worker_class == 'gthread' else 1}"
    with serving(tmp_path, config, max_workers=6, **AT_ONCE) as server:
        server.wait_for_ready(2)
        with steady(server, requests_per_second=30) as load:
            wait_for(lambda: exits(server, "recycle_requests") >= 2, "two recycles", 90)
        server.wait_for_log(r"resize workers=\d+->\d+ action=grow reason=recycle cause=requests")
        native = server.log.count("Autorestarting")
        version = tuple(map(int, server.status()["server"]["gunicorn"].split(".")))

    # gthread before 27.0.1 closes connections it has accepted and not yet read when it leaves, whoever makes it leave.
    lossy = worker_class == "gthread" and version < (27, 0, 1)
    assert (load.failed if not lossy else [], native) == ([], 0)


def test_max_requests_may_be_left_to_gunicorn(tmp_path: Path) -> None:
    """A switch leaves it as it was without us."""
    with serving(tmp_path, MAX_REQUESTS, max_requests_owner="gunicorn", **AT_ONCE) as server:
        server.wait_for_ready(2)
        with steady(server, requests_per_second=60):
            server.wait_for_log("Autorestarting")
        ours = server.log.count("reason=recycle")

    assert ours == 0


def test_an_observer_leaves_max_requests_to_gunicorn(tmp_path: Path) -> None:
    """It never touches a worker, so it may not stand in the way of what does."""
    with serving(tmp_path, MAX_REQUESTS, mode="observe", **AT_ONCE) as server:
        server.wait_for_ready(2)
        with steady(server, requests_per_second=60):
            server.wait_for_log("Autorestarting")


def test_max_requests_still_holds_when_we_do_not_get_to_it(tmp_path: Path) -> None:
    """Recycling is held up by its own pace: at twice the limit Gunicorn's own recycling comes."""
    with serving(tmp_path, "workers = 2\nmax_requests = 20", **AT_ONCE | {"recycle_lifetime_seconds": 3600}) as server:
        server.wait_for_ready(2)
        with steady(server, requests_per_second=60):
            server.wait_for_log("Autorestarting")
            counted = wait_for(lambda: exits(server, "recycle_requests"), "a counted exit")

    assert counted >= 1


@pytest.mark.once
def test_a_worker_over_its_size_is_recycled(tmp_path: Path) -> None:
    """Private memory above recycle_uss_bytes: counted as such, and no request fails."""
    env = {"KEPT_BYTES": "100000", "TAKES_SECONDS": "0.01"}
    settings = {"max_workers": 2, "recycle_uss_bytes": 50 * MIB} | AT_ONCE
    with serving(tmp_path, app="leaking:app", env=env, **settings) as server:
        server.wait_for_ready(2)
        with steady(server, "/", requests_per_second=40) as load:
            wait_for(lambda: exits(server, "recycle_size"), "a recycle for size", 60)

    assert load.failed == []


def test_a_limit_below_a_fresh_worker_is_refused_not_obeyed(tmp_path: Path) -> None:
    """Both figures are in one log line, and nobody is recycled without end."""
    with serving(tmp_path, app="ballast:app", recycle_uss_bytes=20 * MIB, **AT_ONCE) as server:
        refused = server.wait_for_log(
            r"recycle_uss_bytes = 20971520 refused fresh_worker_bytes=\d+ must_be_at_least=\d+"
        )
        shown = server.wait_for_status(lambda status: status["refused_settings"], "the refused setting")
        ticks = server.status()["tally"]["ticks"]
        server.wait_for_status(lambda status: status["tally"]["ticks"] > ticks + 5, "more ticks")
        recycled = exits(server, "recycle_size")

    assert (refused in shown[0], recycled) == (True, 0)


def test_a_worker_over_its_age_is_recycled(tmp_path: Path) -> None:
    """After a few seconds, jitter and all, each in its turn."""
    with serving(tmp_path, recycle_age_seconds=2, **AT_ONCE) as server:
        old = server.wait_for_ready(2)
        with steady(server) as load:
            wait_for(lambda: not set(old) & set(server.pids()), "all of the first workers to be gone")
        wait_for(lambda: exits(server, "recycle_age") >= 2, "both exits to be counted")

    assert load.failed == []


@pytest.mark.once
@pytest.mark.timeout(300)
def test_a_leak_is_found_by_its_growth(tmp_path: Path) -> None:
    """No limit is set and memory is plenty: a worker that grows with every request is recycled for it."""
    env = {"KEPT_BYTES": "60000", "TAKES_SECONDS": "0.001"}
    with serving(
        tmp_path, "workers = 1", app="leaking:app", env=env, min_workers=1, max_workers=1, recycle_leak_ratio=1.5,
        **AT_ONCE,
    ) as server:  # fmt: skip
        server.wait_for_ready(1)
        with steady(server, "/", requests_per_second=60) as load:
            wait_for(lambda: exits(server, "recycle_leak"), "a recycle for the leak", 120)

    assert load.failed == []


def test_a_fixed_count_is_recycled_without_a_dip(tmp_path: Path) -> None:
    """min_workers = max_workers: the replacement stands beside them for a moment, then two are there again."""
    with serving(tmp_path, recycle_age_seconds=2, min_workers=2, max_workers=2, **AT_ONCE) as server:
        server.wait_for_ready(2)
        server.wait_for_log(r"resize workers=2->3 action=grow reason=recycle cause=age")
        back = server.wait_for_log(r"resize workers=3->2 action=shrink reason=recycle cause=age")

    assert back


def test_without_a_place_to_spare_the_old_one_drains_first(tmp_path: Path) -> None:
    """recycle_surge = off at max_workers: said in the reason."""
    with serving(
        tmp_path, recycle_age_seconds=2, min_workers=2, max_workers=2, recycle_surge="off", **AT_ONCE
    ) as server:
        server.wait_for_ready(2)
        with steady(server) as load:
            server.wait_for_log(r"resize workers=2->1 action=shrink reason=drain_first cause=age")
            server.wait_for_log(r"resize workers=1->2 action=grow reason=recycle cause=age")

    assert load.failed == []
