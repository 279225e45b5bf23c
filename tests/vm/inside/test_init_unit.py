"""The two units that `init` writes, installed as it says: served through the socket, in the sandbox, under load."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.steady import steady
from tests.server import APPS, free_port, wait_for
from tests.vm.inside.units import PATIENCE_SECONDS, MainProcess, Service, busy, missing, service, systemctl

NAME, FOLDER, UNITS = "shop", Path("/srv/shop"), Path("/etc/systemd/system")
COMMAND = Path(sys.executable).with_name("gunicorn-autotune")
MOST_EXPOSURE = 1.6
"""Of 10, by systemd-analyze; 9.6 is a unit without any hardening."""
Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def shop() -> Iterator[Service]:
    """Its own folder, its files from `init`, its units enabled."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    shutil.copy(APPS / "plain.py", FOLDER / "wsgi.py")
    ran(str(COMMAND), "init", "--dir", str(FOLDER), "--name", NAME)
    metrics_port = free_port()
    config = FOLDER / "gunicorn_autotune.conf"
    config.write_text(
        config.read_text().replace("install(globals())", f"install(globals(), metrics='127.0.0.1:{metrics_port}')")
    )
    for kind in ("service", "socket"):
        shutil.copy(FOLDER / f"{NAME}.{kind}", UNITS)
    systemctl("daemon-reload")
    server = Service(MainProcess(f"{NAME}.service"), FOLDER, 0, metrics_port, f"/run/{NAME}.sock")
    try:
        systemctl("enable", "--now", f"{NAME}.socket", f"{NAME}.service")
        server.wait_for_status(lambda status: status["ready"], "a ready worker", PATIENCE_SECONDS)
        yield server
    finally:
        systemctl("disable", "--now", f"{NAME}.socket", f"{NAME}.service")
        for kind in ("service", "socket"):
            (UNITS / f"{NAME}.{kind}").unlink()
        systemctl("daemon-reload")


def ran(*words: str) -> str:
    """What a command printed; it must succeed."""
    told = subprocess.run(words, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout


def test_systemd_finds_it_little_exposed(shop: Service, record_property: Record) -> None:
    """`systemd-analyze security`."""
    told = ran("systemd-analyze", "security", "--no-pager", shop.unit)
    (level,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", told)
    record_property("exposure", level)

    assert float(level) <= MOST_EXPOSURE


def test_the_sandbox_hides_nothing_that_an_open_unit_shows(shop: Service) -> None:
    """Whatever a sensor reads in a unit without hardening, it reads in this one."""
    shop.wait_for_sizes()
    with service(config="workers = 2", max_workers=2) as opened:
        opened.wait_for_sizes()
        shown = missing(opened.status())

    assert {place: why for place, why in missing(shop.status()).items() if place not in shown} == {}


def test_doctor_finds_nothing_that_would_fail(shop: Service) -> None:
    """Asked as the service's user, from a login of its own: not inside the sandbox."""
    ran("runuser", "-u", "www-data", "--", str(COMMAND), "doctor", "--config", str(FOLDER / "gunicorn_autotune.conf"))


def test_a_recycle_is_carried_out(shop: Service) -> None:
    """Through the command socket, wherever the sandbox put it."""
    before = set(shop.pids())
    ran(str(COMMAND), "recycle", "--all", "--server", str(shop.process.pid), "--wait", "100")

    assert before.isdisjoint(shop.pids("idle", "busy"))


@pytest.mark.parametrize("verb", ["reload", "restart"])
def test_no_request_is_lost(shop: Service, record_property: Record, verb: str) -> None:
    """While all workers are replaced, or the whole server: the socket keeps what comes meanwhile."""
    before = set(shop.pids())
    with steady(shop, requests_per_second=10.0, patience_seconds=PATIENCE_SECONDS) as load:
        systemctl(verb, shop.unit)
        wait_for(
            lambda: shop.status()["ready"] and before.isdisjoint(shop.pids()), "a new set of workers", PATIENCE_SECONDS
        )
        load.answered(20)
    record_property("failed", f"{len(load.failed)} of {load.sent}")

    assert load.failed == []


def test_a_stop_lets_a_request_finish_and_the_next_request_starts_it_again(shop: Service) -> None:
    """The socket unit stays."""
    with ThreadPoolExecutor(1) as client:
        running = client.submit(shop.get, "/sleep?s=3")
        shop.wait_for_status(busy, "a busy worker", PATIENCE_SECONDS)
        systemctl("stop", shop.unit)
        stopped = shop.process.pid == 0
        answer, _ = running.result(60)
    again, _ = shop.get("/", timeout=60)

    assert (200, True, 200) == (answer, stopped, again)
