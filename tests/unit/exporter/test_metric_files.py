"""Which files of PROMETHEUS_MULTIPROC_DIR may be deleted: the client's own, ours, of processes that are gone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from prometheus_client import Gauge

from gunicorn_autotune.exporter import children, metric_files

ME = os.getpid()
DEAD = (1 << 22) + 7
"""No kernel gives a pid as high as this."""


def wiped(folder: Path, names: list[str], keep: str = "", ours_only: bool = False) -> set[str]:
    """Which of these files are gone after a wipe."""
    for name in names:
        (folder / name).touch()
    told: list[str] = []
    count = metric_files.wipe(str(folder), {os.geteuid()}, told.append, keep, ours_only)
    gone = {name for name in names if not (folder / name).exists()}

    assert (count, told) == (len(gone), [])
    return gone


def test_all_modes_of_the_client_are_known() -> None:
    """A new one would make files that we take for somebody else's."""
    assert set(metric_files.GAUGE_MODES) == set(Gauge._MULTIPROC_MODES)


def test_files_of_the_client_go(tmp_path: Path) -> None:
    """Every kind that it writes, of a process that is gone."""
    kinds = ["counter", "histogram", "summary", *(f"gauge_{mode}" for mode in metric_files.GAUGE_MODES)]
    names = [f"{kind}_{DEAD}.db" for kind in kinds]

    assert wiped(tmp_path, names) == set(names)


@pytest.mark.parametrize("name", [
    "shop.db", "counter.db", "counter_.db", f"counters_{DEAD}.db", f"gauge_{DEAD}.db", f"gauge_new_{DEAD}.db",
    f"counter_{DEAD}.db-wal", f"counter_{DEAD}.db\n", f"counter_{DEAD}\n.db", f"counter_orders_{DEAD}.db",
    "counter_orders.db", "counter_worker-3.db", "counter_ours.db", "counter_²slot0.db",
])  # fmt: skip
def test_what_may_be_somebody_elses_stays(tmp_path: Path, name: str) -> None:
    """Another name, another identifier, or a process that is there."""
    assert wiped(tmp_path, [name.replace("ours", str(ME))]) == set()


def test_a_server_that_shares_the_folder_keeps_its_files(tmp_path: Path) -> None:
    """Its arbiter lives; pid 1 does."""
    mine = [f"counter_{DEAD}slot3.db", f"gauge_liveall_{DEAD}arbiter.db", f"counter_{ME}slot3.db"]

    assert wiped(tmp_path, ["counter_1slot0.db", "gauge_all_1arbiter.db", *mine]) == set(mine)


def test_a_forked_process_that_outlived_its_server_keeps_its_files(tmp_path: Path) -> None:
    """The number that it holds says so; the next one is free."""
    (tmp_path / children.registry(DEAD)).write_bytes(children.PID.pack(ME))
    held, free, unnumbered = f"counter_{DEAD}child0.db", f"counter_{DEAD}child1.db", f"counter_{DEAD}process{ME}.db"

    assert wiped(tmp_path, [held, free, unnumbered]) == {free}


def test_what_a_preloaded_app_has_written_stays(tmp_path: Path) -> None:
    """The arbiter's own file is older than the wipe."""
    assert wiped(tmp_path, [f"counter_{ME}arbiter.db"], keep=f"{ME}arbiter") == set()


def test_who_only_observes_deletes_what_autotune_has_named(tmp_path: Path) -> None:
    """Without autotune the files that the client names by pid would stay."""
    assert wiped(tmp_path, [f"counter_{DEAD}.db", f"counter_{DEAD}slot1.db"], ours_only=True) == {
        f"counter_{DEAD}slot1.db"
    }


def test_links_pipes_and_folders_stay(tmp_path: Path) -> None:
    """Whatever they are called; and what a link leads to stays as well."""
    folder, target = tmp_path / "metrics", tmp_path / "counter_1.db"
    folder.mkdir()
    target.write_text("mine")
    (folder / f"counter_{DEAD}.db").symlink_to(target)
    os.mkfifo(folder / f"histogram_{DEAD}.db")
    (folder / f"summary_{DEAD}.db").mkdir()

    assert metric_files.wipe(str(folder), {os.geteuid()}, pytest.fail) == 0
    assert (len(list(folder.iterdir())), target.read_text()) == (3, "mine")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_files_of_another_user_stay(tmp_path: Path) -> None:
    """Root could delete them."""
    path = tmp_path / f"counter_{DEAD}.db"
    path.touch()
    os.chown(path, 54321, -1)

    assert metric_files.wipe(str(tmp_path), {0}, pytest.fail) == 0
    assert metric_files.wipe(str(tmp_path), {0, 54321}, pytest.fail) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="others reach only what they could delete anyway")
@pytest.mark.parametrize("trick", ["link", "foreign"])
def test_root_deletes_nothing_in_a_folder_that_somebody_else_put_there(tmp_path: Path, trick: str) -> None:
    """Through a link, or another user's folder: one line, and everything stays."""
    folder, given = tmp_path / "theirs", tmp_path / "given"
    folder.mkdir()
    (folder / f"counter_{DEAD}.db").touch()
    given.symlink_to(folder)
    if trick == "foreign":
        os.chown(folder, 54321, -1)
        given = folder
    told: list[str] = []

    assert (metric_files.wipe(str(given), {0}, told.append), len(told)) == (0, 1)
    assert (folder / f"counter_{DEAD}.db").exists()


def test_files_that_cannot_be_deleted_are_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that may not be written to: the server starts all the same."""
    for number in range(3):
        (tmp_path / f"counter_{DEAD + number}.db").touch()

    def refuse(_name: str, dir_fd: int) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "unlink", refuse)
    told: list[str] = []
    metric_files.wipe(str(tmp_path), {os.geteuid()}, told.append)

    assert told == [f"metric files of an earlier run could not be deleted directory={str(tmp_path)!a} files=3"]


def test_a_folder_that_is_missing_is_no_fault(tmp_path: Path) -> None:
    """The app may make it later."""
    assert metric_files.wipe(str(tmp_path / "none"), {os.geteuid()}, pytest.fail) == 0


def test_the_file_of_pids_goes_with_the_last_that_it_names(tmp_path: Path) -> None:
    """A server has one for each of its lives."""
    for arbiter, pid in ((DEAD, DEAD), (DEAD + 1, ME), (1, DEAD), (ME, DEAD)):
        (tmp_path / children.registry(arbiter)).write_bytes(children.PID.pack(pid))
    metric_files.wipe(str(tmp_path), {os.geteuid()}, pytest.fail)

    assert {file.name for file in tmp_path.iterdir()} == {f"{one}children" for one in (DEAD + 1, 1, ME)}


def test_only_live_gauges_of_that_process_end_with_it(tmp_path: Path) -> None:
    """Counters stay, and slot 1 is not slot 11."""
    names = ["gauge_liveall_1slot1.db", "gauge_livesum_1slot11.db", "gauge_all_1slot1.db", "counter_1slot1.db"]
    for name in names:
        (tmp_path / name).touch()
    metric_files.mark_dead(str(tmp_path), "1slot1", {os.geteuid()})

    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(names[1:])
