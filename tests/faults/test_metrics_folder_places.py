"""Where PROMETHEUS_MULTIPROC_DIR may be written: files go by slot in each case."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.server import launched, wait_for, write_config

pytestmark = [pytest.mark.real, pytest.mark.once]
INSTALL = "from gunicorn_autotune import install\ninstall(globals(), min_workers=2, max_workers=2)\n"
PLACES = {
    "raw_env": "raw_env = ['PROMETHEUS_MULTIPROC_DIR={folder}']\n" + INSTALL,
    "raw_env in lower case": "raw_env = ['prometheus_multiproc_dir={folder}']\n" + INSTALL,
    "lower case": "import os\nos.environ['prometheus_multiproc_dir'] = '{folder}'\n" + INSTALL,
    "below install": INSTALL + "import os\nos.environ['PROMETHEUS_MULTIPROC_DIR'] = '{folder}'\n",
}


@pytest.mark.parametrize(
    ("place", "preload"),
    [("raw_env", True), ("raw_env in lower case", False), ("lower case", False), ("below install", True)],
)
def test_files_are_named_by_slot_wherever_the_folder_is_written(place: str, preload: bool, tmp_path: Path) -> None:
    """Two workers, a reload, two more: counters go on in the same files, live gauges show the living only."""
    folder = tmp_path / "metrics"
    folder.mkdir()
    write_config(tmp_path, f"preload_app = {preload}\n" + PLACES[place].format(folder=folder))
    with launched(tmp_path, app="counted:app") as server:
        before = server.wait_for_ready(2)
        for _ in range(4):
            server.get("/")
        server.signal(signal.SIGHUP)
        server.wait_for_status(lambda status: not {one["pid"] for one in status["workers"]} & {*before}, "a new set")
        server.wait_for_ready(2)
        server.get("/")
        counted = wait_for(lambda: server.metric('shop_pages_total{page="front"}') == 5, "five pages")
        names = [file.stem.split("_")[-1] for file in folder.glob("counter_*.db")]

    assert counted and names
    assert [name for name in names if "slot" not in name and "arbiter" not in name] == []


def test_a_folder_that_a_reload_brings_is_read(tmp_path: Path) -> None:
    """raw_env gets it later: new workers write there, and the exporter, started before, finds it."""
    folder = tmp_path / "metrics"
    folder.mkdir()
    path = write_config(tmp_path, INSTALL)
    with launched(tmp_path, app="counted:app") as server:
        before = server.wait_for_ready(2)
        path.write_text(PLACES["raw_env"].format(folder=folder))
        server.signal(signal.SIGHUP)
        server.wait_for_log("Handling signal: hup")
        wait_for(lambda: not {*before} & {*server.wait_for_ready(2)}, "a new set")
        server.get("/")
        counted = wait_for(lambda: server.metric('shop_pages_total{page="front"}') >= 1, "a page")

    assert counted
