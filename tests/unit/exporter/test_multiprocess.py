"""The app's own prometheus_client metrics: one set of files per slot, merged, whatever lies in the directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from gunicorn_autotune.exporter import children, multiprocess
from gunicorn_autotune.exporter.render import Format, exposition
from tests.unit.exporter.boards import a_document, a_small_board

RECYCLES = """
import os, sys
from gunicorn_autotune.exporter import metric_files, multiprocess
identifier = "1arbiter"
assert multiprocess.install_slot_identifier(lambda: identifier)
from prometheus_client import Counter, Gauge, Histogram
jobs = Counter("jobs", "Jobs done.", ["kind"])
sizes = Histogram("sizes", "Sizes.", buckets=(1, 10))
running = Gauge("running", "Running now.", multiprocess_mode="livesum")
for life in range(int(sys.argv[1])):
    pids = []
    for slot in range(8):
        pids.append(os.fork())
        if not pids[-1]:
            identifier = f"1slot{slot}"
            for _ in range(20):
                jobs.labels("a").inc()
            sizes.observe(5)
            if sys.argv[2] == "gauge":
                running.inc()
            os._exit(0)
    for slot, pid in enumerate(pids):
        os.waitpid(pid, 0)
        metric_files.mark_dead(multiprocess.configured(), f"1slot{slot}", {os.geteuid()})
"""


def run(script: str, directory: Path | None, *arguments: str) -> str:
    """Output of a fresh interpreter, with the directory set or not."""
    kept = {name: text for name, text in os.environ.items() if not name.upper().startswith("PROMETHEUS_")}
    environment = kept | ({"PROMETHEUS_MULTIPROC_DIR": str(directory)} if directory else {})
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def merged(directory: Path) -> dict[str, float]:
    """Sample name and labels -> value of the app's metrics, and nothing may be told."""
    text = multiprocess.exposition(str(directory), False, pytest.fail).decode()
    return {
        f"{sample.name}{json.dumps(sample.labels)}": sample.value
        for family in parse_text(text)
        for sample in family.samples
    }


def test_a_thousand_recycles_on_eight_slots_keep_their_files_and_every_count(tmp_path: Path):
    """1,000 worker lives leave 16 files of slots, and the totals are exact."""
    run(RECYCLES, tmp_path, "125", "none")
    slots = [file.name for file in tmp_path.glob("*slot*.db")]
    found = merged(tmp_path)

    assert len([name for name in slots if not name.startswith("gauge")]) == 16
    assert found['jobs_total{"kind": "a"}'] == 20_000.0
    assert 1_000.0 == found['sizes_bucket{"le": "10.0"}'] == found["sizes_count{}"]


def test_live_gauge_of_a_dead_process_is_not_shown(tmp_path: Path):
    """Eight workers that were counted as running and died without a word: none is running."""
    run(RECYCLES, tmp_path, "2", "gauge")

    assert merged(tmp_path).get("running{}", 0.0) == 0.0


def spoil(name: str, directory: Path) -> Path:
    """A file as a killed or confused writer leaves it."""
    whole = next(directory.glob("counter_1slot0.db")).read_bytes()
    contents = {
        "empty": b"",
        "short": b"\x10",
        "truncated": whole[:64],
        "garbage": b"\xff" * 4096,
        "garbage-inside": (64).to_bytes(4, "little") + b"\0" * 4 + b"\x7f" * 56,
    }
    path = directory / "counter_1slot9.db"
    path.write_bytes(contents[name])
    return path


@pytest.mark.parametrize("name", ["empty", "short", "truncated", "garbage", "garbage-inside"])
def test_poison_file_is_left_out_and_told(tmp_path: Path, name: str):
    """client_python #1199: one such file fails every scrape of the client itself."""
    run(RECYCLES, tmp_path, "1", "none")
    poison = spoil(name, tmp_path)
    told: list[str] = []
    text = multiprocess.exposition(str(tmp_path), False, told.append).decode()

    assert 'jobs_total{kind="a"} 160.0' in text
    assert [f"exporter: multiprocess file left out path={poison}"] == [line.partition(" error=")[0] for line in told]
    assert poison.exists()


def test_file_just_made_by_a_living_worker_is_not_deleted_under_it(tmp_path: Path):
    """An empty file may belong to a worker between open and truncate: deleting it would lose its counts."""
    (tmp_path / "counter_1slot0.db").touch()
    multiprocess.merge(str(tmp_path), lambda _line: None)
    run(RECYCLES, tmp_path, "1", "none")

    assert merged(tmp_path)['jobs_total{"kind": "a"}'] == 160.0


@pytest.mark.parametrize("form", Format)
def test_app_metrics_stand_in_our_scrape_in_both_formats(tmp_path: Path, form: Format):
    """One scrape, one end mark, the app's metrics behind ours."""
    run(RECYCLES, tmp_path, "1", "none")
    more = multiprocess.exposition(str(tmp_path), form is Format.OPENMETRICS, pytest.fail)
    text = exposition(a_document(), a_small_board(), form, more).decode()
    families: Any = {Format.TEXT: parse_text, Format.OPENMETRICS: parse_openmetrics}[form](text)

    assert {"jobs", "sizes", "gunicorn_worker_pid"} <= {family.name for family in families}


def test_app_metric_under_one_of_our_names_is_left_out(tmp_path: Path):
    """A name twice would fail the whole scrape."""
    run("from prometheus_client import Gauge; Gauge('gunicorn_workers', 'Mine.').set(9)", tmp_path)

    assert multiprocess.exposition(str(tmp_path), False, pytest.fail) == b""


def test_directory_that_is_gone_costs_nothing_but_the_app_metrics(tmp_path: Path):
    """Our own metrics never depend on the app's."""
    assert multiprocess.exposition(str(tmp_path / "gone"), False, pytest.fail) == b""


INSTALL = """
import sys
from gunicorn_autotune.exporter import children, multiprocess
print(multiprocess.install_slot_identifier(lambda: "1slot0", enabled=sys.argv[1] == "on"))
print("prometheus_client" in sys.modules)
"""


@pytest.mark.parametrize(
    ("configured", "switch", "expected"), [(True, "on", "True"), (True, "off", "False"), (False, "on", "False")]
)
def test_client_is_touched_only_where_the_user_runs_it_in_multiprocess_mode(
    tmp_path: Path, configured: bool, switch: str, expected: str
):
    """No directory, or opted out: prometheus_client is not even imported."""
    assert [expected, expected] == run(INSTALL, tmp_path if configured else None, switch).split()


def test_identifier_with_an_underscore_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The client splits gauge file names on it and would mislabel the gauge."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))

    with pytest.raises(ValueError, match="must not contain an underscore"):
        multiprocess.install_slot_identifier(lambda: "slot_1")


def test_what_is_no_metric_file_is_not_read(tmp_path: Path):
    """A database of the app may lie in the same folder: neither merged nor complained about."""
    run(RECYCLES, tmp_path, "1", "none")
    (tmp_path / "shop.db").write_bytes(b"SQLite format 3\0" * 64)
    (tmp_path / "counter.db").write_bytes(b"mine")

    assert merged(tmp_path)['jobs_total{"kind": "a"}'] == 160.0


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_only_has_the_name_of_a_metric_file_is_left_out(tmp_path: Path, make: Any):
    """A pipe would be waited for, a device never ends."""
    run(RECYCLES, tmp_path, "1", "none")
    make(tmp_path / "counter_1.db")
    told: list[str] = []
    text = multiprocess.exposition(str(tmp_path), False, told.append).decode()

    assert ('jobs_total{kind="a"} 160.0' in text, len(told)) == (True, 1), told


def test_live_gauge_of_a_forked_process_counts_while_it_lives(tmp_path: Path):
    """Nobody reaps it for us: the file of pids says whether it is there."""
    run("from prometheus_client import Gauge; Gauge('jobs', 'Now.', multiprocess_mode='livesum').set(3)", tmp_path)
    next(tmp_path.glob("gauge_livesum_*.db")).rename(tmp_path / "gauge_livesum_1child0.db")
    dead = dict(merged(tmp_path))
    (tmp_path / "1children").write_bytes(children.PID.pack(os.getpid()))

    assert (dead, merged(tmp_path)) == ({}, {"jobs{}": 3.0})
