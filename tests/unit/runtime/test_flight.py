"""The flight record on disk: bounded, private, and never Gunicorn's trouble."""

from __future__ import annotations

import dataclasses
import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gunicorn_autotune.law import law
from gunicorn_autotune.model.flight import parse_header, parse_tick
from gunicorn_autotune.model.history import History
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.status import Identity, Stage, Tally
from gunicorn_autotune.runtime import flight
from gunicorn_autotune.runtime.flight import SETTINGS, FlightWriter
from gunicorn_autotune.testing import a_policy, a_snapshot

HEADER = '{"flight":1}'


class Log:
    """Keeps error lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def error(self, text: str) -> None:
        """One line."""
        self.lines.append(text)


def a_server() -> Any:
    """What the writer asks of an arbiter."""
    return SimpleNamespace(cfg=SimpleNamespace(**dict.fromkeys(SETTINGS, 1)), log=Log())


def a_tune(path: object, **settings: Any) -> Any:
    """What the writer asks of our state."""
    identity = Identity("27.0.1", "1.2.3", "3.12.1", "sync", pid=1, started_unix_seconds=1.0)
    policy = Policy(flight_record=str(path), **settings)
    return SimpleNamespace(policy=policy, identity=identity, tally=Tally(), flight=None, history=None)


def a_writer(path: Path, half_bytes: int = 1 << 20) -> FlightWriter:
    """A writer whose files hold `half_bytes` each."""
    writer = FlightWriter(Policy(flight_record=str(path)), {})
    writer.half_bytes = half_bytes
    return writer


def tick(server: Any, tune: Any, at: float = 0.0) -> None:
    """One tick as the ticker does it."""
    snapshot, before = a_snapshot(at=at), tune.history
    decision, tune.history = law.decide(a_policy(), before or law.start(snapshot), snapshot)
    flight.record(server, tune, before, snapshot, decision)


def flying(path: object, **settings: Any) -> tuple[Any, Any]:
    """A server that records, after its first tick."""
    server, tune = a_server(), a_tune(path, **settings)
    tune.flight = flight.writer_for(server, tune)
    tick(server, tune)
    return server, tune


def names_in(folder: Path) -> list[str]:
    """What lies there."""
    return sorted(path.name for path in folder.iterdir())


def test_a_record_is_a_header_and_a_line_a_tick(tmp_path: Path) -> None:
    """Readable from the first tick on, by its owner only."""
    path = tmp_path / "f.jsonl"
    server, tune = flying(path)
    tick(server, tune, at=0.25)
    first, *ticks = path.read_text().splitlines()
    header = parse_header(first)

    assert ("27.0.1", 1, [0.0, 0.25]) == (
        header.server["gunicorn"], header.server["backlog"], [parse_tick(text).snapshot.at for text in ticks],
    )  # fmt: skip
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_without_the_setting_nothing_is_written() -> None:
    """Off is the default."""
    assert flight.writer_for(a_server(), a_tune("")) is None


def test_nothing_is_written_before_the_first_tick(tmp_path: Path) -> None:
    """A server that dies while it boots must not push the record of the one before out."""
    flight.writer_for(a_server(), a_tune(tmp_path / "f.jsonl"))

    assert [] == names_in(tmp_path)


def test_two_files_never_exceed_the_bound(tmp_path: Path) -> None:
    """At half the bound the file becomes `.1` and a new one begins with a header of its own."""
    writer = a_writer(tmp_path / "f.jsonl", half_bytes=100)
    largest = 0
    for number in range(60):
        writer.append(f"tick {number:02}", lambda: HEADER)
        largest = max(largest, sum(path.stat().st_size for path in tmp_path.iterdir()))
    kept = [(tmp_path / name).read_text().splitlines() for name in ("f.jsonl.1", "f.jsonl")]

    assert ([HEADER, HEADER], largest <= 200) == ([lines[0] for lines in kept], True)
    assert ["tick 59"] == kept[1][-1:]
    assert [f"tick {number:02}" for number in range(60)][-len(kept[0] + kept[1]) + 2 :] == kept[0][1:] + kept[1][1:]


def test_a_later_file_remembers_what_the_law_remembered(tmp_path: Path) -> None:
    """Its header holds the memory before its first tick, so that it replays alone."""
    server, tune = flying(tmp_path / "f.jsonl")
    before = tune.history
    tune.flight._size = tune.flight.half_bytes
    tick(server, tune, at=0.25)
    header = parse_header((tmp_path / "f.jsonl").read_text().splitlines()[0])

    assert (before, True) == (header.history, isinstance(header.history, History))


def test_a_restart_keeps_the_record_of_the_one_before(tmp_path: Path) -> None:
    """A new process moves what it finds to `.1`."""
    flying(tmp_path / "f.jsonl")
    first = (tmp_path / "f.jsonl").read_text()
    flying(tmp_path / "f.jsonl")

    assert first == (tmp_path / "f.jsonl.1").read_text()


def test_an_older_record_larger_than_half_the_bound_is_dropped(tmp_path: Path) -> None:
    """The bound was lowered; it holds at once."""
    (tmp_path / "f.jsonl").write_text(HEADER + "x" * 200)
    a_writer(tmp_path / "f.jsonl", half_bytes=100).append("tick", lambda: HEADER)

    assert ["f.jsonl"] == names_in(tmp_path)


def test_the_old_arbiter_of_an_upgrade_leaves_the_new_record_alone(tmp_path: Path) -> None:
    """After USR2 it goes on in `.1`, and stops instead of moving a file that is not its own."""
    path = tmp_path / "f.jsonl"
    old, new = a_writer(path, half_bytes=40), a_writer(path, half_bytes=40)
    old.append("old 1", lambda: HEADER)
    new.append("new 1", lambda: HEADER)
    old.append("old 2", lambda: HEADER)
    with pytest.raises(OSError, match="another process records there"):
        old.append("old 3, too long for the file", lambda: HEADER)

    assert (f"{HEADER}\nnew 1\n", f"{HEADER}\nold 1\nold 2\n") == (
        path.read_text(), (tmp_path / "f.jsonl.1").read_text(),
    )  # fmt: skip


def test_a_record_that_was_moved_away_is_begun_again(tmp_path: Path) -> None:
    """An operator who takes the file gets the next one at the same place."""
    path = tmp_path / "f.jsonl"
    writer = a_writer(path, half_bytes=40)
    writer.append("a tick of more than twenty bytes", lambda: "")
    path.unlink()
    writer.append("another", lambda: HEADER)

    assert f"{HEADER}\nanother\n" == path.read_text()


@pytest.mark.parametrize("name", ["f.jsonl", "f.jsonl.1"])
def test_a_foreign_file_is_never_moved(name: str, tmp_path: Path) -> None:
    """A slip of the pen must not cost a file that is no record."""
    (tmp_path / name).write_text("precious")
    server, _ = flying(tmp_path / "f.jsonl")

    assert ([name], "precious") == (names_in(tmp_path), (tmp_path / name).read_text())
    assert ["autotune: flight record stopped until the next HUP, Gunicorn serves on "
            f"path={tmp_path}/{name} error='is there and no flight record'"] == server.log.lines  # fmt: skip


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("elsewhere")])
def test_what_is_no_plain_file_is_left_alone(make: Any, tmp_path: Path) -> None:
    """A folder, a pipe or a link at that name is refused without waiting."""
    path = tmp_path / "f.jsonl"
    make(path)
    before = os.lstat(path)
    server, _ = flying(path)

    assert (before.st_ino, ["f.jsonl"], 1) == (os.lstat(path).st_ino, names_in(tmp_path), len(server.log.lines))


def test_a_full_disk_stops_the_recording_once(tmp_path: Path) -> None:
    """One line with path and reason, one count; the file ends with a whole line, and no later tick tries again."""
    path = tmp_path / "f.jsonl"
    server, tune = flying(path)
    whole, full = path.read_text(), os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, tune.flight._fd)
    for at in (0.25, 0.5):
        tick(server, tune, at)
    os.close(full)

    assert (1, 1, whole) == (len(server.log.lines), tune.tally.errors[Stage.RECORD], path.read_text())
    assert server.log.lines[0].endswith("error='No space left on device'")


def test_a_line_that_fits_only_in_part_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk may fill up in the middle of a write."""
    path = tmp_path / "f.jsonl"
    writer = a_writer(path)
    writer.append("whole", lambda: HEADER)
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:3]))
    with pytest.raises(OSError, match="No space left"):
        writer.append("cut", lambda: HEADER)

    assert f"{HEADER}\nwhole\n" == path.read_text()


def test_a_missing_folder_stops_the_recording(tmp_path: Path) -> None:
    """It is not made: a record belongs where the operator has made room."""
    server, tune = flying(tmp_path / "gone" / "f.jsonl")

    assert (True, True) == (tune.flight.stopped, "No such file or directory" in server.log.lines[0])


def test_a_tick_too_large_for_the_bound_is_refused(tmp_path: Path) -> None:
    """Thousands of workers under the least bound: say which setting to raise rather than break it."""
    writer = a_writer(tmp_path / "f.jsonl", half_bytes=20)
    with pytest.raises(OSError, match="raise flight_record_bytes"):
        writer.append("x" * 21, lambda: HEADER)

    assert [] == names_in(tmp_path)


def test_a_fault_of_ours_stops_the_recording_too(tmp_path: Path) -> None:
    """What cannot be written down must not cost a tick."""
    server, tune = flying(tmp_path / "f.jsonl")
    decision, _ = law.decide(a_policy(), History(), a_snapshot())
    flight.record(server, tune, None, dataclasses.replace(a_snapshot(), frozen=object()), decision)  # type: ignore[arg-type]

    assert (1, True) == (len(server.log.lines), tune.flight.stopped)


def test_a_reload_that_changes_nothing_goes_on_in_the_same_file(tmp_path: Path) -> None:
    """A HUP a day must not push the record of the day before out."""
    server, tune = flying(tmp_path / "f.jsonl")

    assert tune.flight is flight.after_reload(server, tune)


@pytest.mark.parametrize("taken", [Path.unlink, lambda path: path.rename(path.with_name("taken"))])
def test_a_reload_after_the_file_was_taken_away_begins_a_new_one(taken: Any, tmp_path: Path) -> None:
    """Else the record would go on in a file that has no name any more, for ever unseen."""
    path = tmp_path / "f.jsonl"
    server, tune = flying(path)
    taken(path)
    tune.flight = flight.after_reload(server, tune)
    tick(server, tune, at=0.25)

    assert [0.25] == [parse_tick(text).snapshot.at for text in path.read_text().splitlines()[1:]]


def test_a_reload_with_other_settings_begins_a_new_file(tmp_path: Path) -> None:
    """One file, one policy: its header stays true."""
    server, tune = flying(tmp_path / "f.jsonl")
    tune.policy = dataclasses.replace(tune.policy, max_workers=9)
    tune.flight = flight.after_reload(server, tune)
    tick(server, tune, at=0.25)

    assert [9, 0] == [
        parse_header((tmp_path / name).read_text().splitlines()[0]).policy.max_workers
        for name in ("f.jsonl", "f.jsonl.1")
    ]


def test_a_reload_tries_a_stopped_recording_again(tmp_path: Path) -> None:
    """Room was made: the next HUP records."""
    server, tune = flying(tmp_path / "later" / "f.jsonl")
    (tmp_path / "later").mkdir()
    tune.flight = flight.after_reload(server, tune)
    tick(server, tune, at=0.25)

    assert ["f.jsonl"] == names_in(tmp_path / "later")


def test_a_reload_without_the_setting_ends_the_recording(tmp_path: Path) -> None:
    """And closes the file."""
    server, tune = flying(tmp_path / "f.jsonl")
    fd = tune.flight._fd
    tune.policy = Policy()
    tune.flight = flight.after_reload(server, tune)
    with pytest.raises(OSError):
        os.fstat(fd)

    assert tune.flight is None


def test_a_worker_forgets_the_file(tmp_path: Path) -> None:
    """The descriptor is closed in the child, and closing it twice is no fault."""
    _, tune = flying(tmp_path / "f.jsonl")
    fd = tune.flight._fd
    inherited = os.get_inheritable(fd)
    tune.flight.forget()
    tune.flight.forget()
    with pytest.raises(OSError):
        os.fstat(fd)

    assert not inherited
