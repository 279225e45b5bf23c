"""A tick as one line of JSON, and back: nothing the law reads is lost, nothing private is kept."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gunicorn_autotune.law import decide
from gunicorn_autotune.model.codec import without_folders
from gunicorn_autotune.model.decisions import Decision
from gunicorn_autotune.model.flight import (
    FORMAT,
    FlightFault,
    Header,
    header_line,
    parse_header,
    parse_tick,
    tick_line,
    unix_seconds,
)
from gunicorn_autotune.model.history import History
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.readings import UNLIMITED, ListenerReading, Missing, Unlimited
from gunicorn_autotune.model.snapshot import Snapshot
from gunicorn_autotune.testing import a_host, a_policy, a_snapshot

SERVER = {"gunicorn": "27.0.1", "python": "3.12.1", "worker_class": "sync", "unix_seconds": 1000.5,
          "monotonic_seconds": 40.25}  # fmt: skip
GONE = Missing("drawn")
PLAIN: dict[Any, Any] = {
    int: st.integers(0, 1 << 70),
    float: st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 9)),
    str: st.text('abc "\\\n\u00e9\U0001f600', max_size=8),
    bool: st.booleans(),
    NoneType: st.none(),
    Missing: st.just(GONE),
    Unlimited: st.just(UNLIMITED),
}


def anything(form: Any) -> Any:
    """Any value of a declared type; a field added to the model is drawn without a change here."""
    origin, arguments = get_origin(form), get_args(form)
    if form in PLAIN:
        return PLAIN[form]
    if origin in (Union, UnionType):
        return st.one_of(*map(anything, arguments))
    if origin is tuple and ... in arguments:
        return st.lists(anything(arguments[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(anything, arguments))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return st.dictionaries(anything(arguments[0]), anything(arguments[1]), max_size=3)
    if issubclass(form, Enum):
        return st.sampled_from(form)
    hints = get_type_hints(form)
    return st.builds(form, **{spec.name: st.deferred(lambda hint=hints[spec.name]: anything(hint))
                              for spec in dataclasses.fields(form)})  # fmt: skip


def a_header(**changes: Any) -> Header:
    """A header of this version."""
    return dataclasses.replace(Header(FORMAT, "1.2.3", SERVER, a_policy()), **changes)


A_TICK = tick_line(a_snapshot(), decide(a_policy(), History(), a_snapshot())[0])


@settings(max_examples=60)
@given(anything(Snapshot), anything(Decision))
def test_every_reading_survives_the_round_trip(snapshot: Snapshot, decision: Decision) -> None:
    """Values to the last bit, missing, unlimited and zero as three things, in every field of every class."""
    tick = parse_tick(tick_line(snapshot, decision))

    assert (snapshot, decision) == (tick.snapshot, tick.decision)


@settings(max_examples=60)
@given(anything(History))
def test_the_memory_of_the_law_survives_the_round_trip(history: History) -> None:
    """A file that begins in the middle of a flight replays as exactly as the first one."""
    assert history == parse_header(header_line(a_header(history=history))).history


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 20), st.floats(0, 1e4), st.integers(0, 10**6)), min_size=1, max_size=6))
def test_the_law_answers_the_same_to_what_is_read_back(story: list[tuple[int, float, int]]) -> None:
    """decide() cannot tell a recorded snapshot from the first one, nor remembers it differently."""
    policy, before, after = a_policy(max_workers=12), History(), History()
    busy, requests = 0.0, 0
    for at, (backlog, seconds, finished) in enumerate(story):
        busy, requests = busy + seconds, requests + finished
        snapshot = a_snapshot(at=at * 0.25, backlog=backlog, busy_seconds=busy, started=requests, finished=requests)
        decision, before = decide(policy, before, snapshot)
        again, after = decide(policy, after, parse_tick(tick_line(snapshot, decision)).snapshot)

        assert (decision, before) == (again, after)


def test_a_line_is_one_line() -> None:
    """Whatever stands in a text."""
    header = header_line(a_header(server={**SERVER, "worker_class": "a\nb"}))
    tick = tick_line(a_snapshot(frozen="re\nload"), parse_tick(A_TICK).decision)

    assert (0, 0) == (header.count("\n"), tick.count("\n"))


def test_the_header_survives_the_round_trip() -> None:
    """Who, when, under which policy."""
    header = a_header(policy=a_policy(max_workers=9, mode="observe"))

    assert header == parse_header(header_line(header))


def test_addresses_and_files_among_the_settings_are_left_out() -> None:
    """A record is attached to public bug reports, and the law reads no free text."""
    policy = Policy(
        metrics="unix:/srv/secret/m.sock", metrics_bearer_token_file="/srv/secret/token",
        metrics_cert_file="/srv/secret/c", metrics_key_file="/srv/secret/k", flight_record="/srv/secret/f",
        max_workers=7,
    )  # fmt: skip
    text = header_line(a_header(policy=policy))

    assert ("secret" in text, parse_header(text).policy) == (False, Policy(max_workers=7))


def test_folders_of_sockets_and_of_missing_files_are_left_out() -> None:
    """The name of the file is enough to understand a reading."""
    why = Missing("/sys/fs/cgroup/user.slice/secret.slice/memory.max: No such file or directory")
    snapshot = dataclasses.replace(
        a_snapshot(host=a_host(memory_limit_bytes=why)),
        listeners=(ListenerReading("unix:/srv/secret/g.sock", why, why), ListenerReading("http://[::1]:80", 0, 9)),
    )
    text = tick_line(snapshot, dataclasses.replace(parse_tick(A_TICK).decision, demand=why))
    read = parse_tick(text).snapshot

    assert ("secret" in text, read.listeners[0].address, read.listeners[1].address, read.host.memory_limit_bytes) == (
        False, "unix:g.sock", "http://[::1]:80", Missing("memory.max: No such file or directory"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/proc/12/stat: Permission denied; psutil: and/or", "stat: Permission denied; psutil: and/or"),
        ("open('/a/b.c') and \"/d/e:f/g\"", "open('b.c') and \"g\""),
        ("no load measured yet", "no load measured yet"),
        ("/a/b/", "b/"),
        ("/", "/"),
    ],
)
def test_a_path_keeps_its_last_name(text: str, expected: str) -> None:
    """What is no absolute path stays as it is."""
    assert expected == without_folders(text)


def _header_with(**changes: Any) -> str:
    return json.dumps(json.loads(header_line(a_header())) | changes)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "empty"),
        ("GET / HTTP/1.1", "not JSON"),
        (header_line(a_header())[:-1], "truncated"),
        (header_line(a_header())[:40], "truncated"),
        ('{"a":1}', "not the first line of a flight record"),
        ("[" * 100000, "not JSON"),
        (A_TICK, "not the first line of a flight record"),
        (_header_with(flight=FORMAT + 1), f"format {FORMAT + 1} is newer than this autotune knows ({FORMAT}): update"),
        (_header_with(flight="1"), "format must be a whole number, is '1'"),
        (_header_with(autotune=7), "autotune: must be text, is 7"),
        (_header_with(policy=[]), "policy: must be an object, is []"),
        (_header_with(policy={"max_workers": -1}), "policy: autotune setting max_workers = -1: must be at least 0"),
        (_header_with(policy={"max_workers": 2.5}), "policy.max_workers: must be a whole number, is 2.5"),
        (_header_with(server={"unix_seconds": 1.0}), "missing field monotonic_seconds"),
        (_header_with(rows={"Mark": 1}), ".Mark: must be an array, is 1"),
    ],
)
def test_a_faulty_header_is_refused_by_name(text: str, fault: str) -> None:
    """The fault tells an operator what is wrong with the file."""
    with pytest.raises(FlightFault) as caught:
        parse_header(text)

    assert str(caught.value).startswith(fault)


def _tick_with(*way: str, value: Any) -> str:
    line: Any = json.loads(A_TICK)
    inner = line
    for name in way[:-1]:
        inner = inner[int(name) if name.isdigit() else name]
    if value is None:
        del inner[way[-1]]
    else:
        inner[int(way[-1]) if way[-1].isdigit() else way[-1]] = value
    return json.dumps(line)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (A_TICK[:-1], "truncated"),
        (A_TICK[:1000], "truncated"),
        ("{}", "not a tick of a flight record"),
        (_tick_with("snapshot", "at", value=None), "snapshot: missing field at"),
        (_tick_with("snapshot", "at", value="x"), "snapshot.at: must be a number, is 'x'"),
        (_tick_with("snapshot", "target", value=True), "snapshot.target: must be a whole number, is True"),
        (_tick_with("snapshot", "workers", "1", value=[1]), "snapshot.workers[1]: must be an array of "),
        (_tick_with("snapshot", "workers", "1", "1", value="x"), "snapshot.workers[1].pid: must be a whole number"),
        (_tick_with("snapshot", "totals", "boots", value={"missing": "x"}), "snapshot.totals.boots: must be a whole"),
        (_tick_with("snapshot", "host", "pids_used", value="unlimited"), "snapshot.host.pids_used: must be a whole"),
        (_tick_with("decision", "reason", value="whim"), "decision.reason: 'whim' is no Reason that this autotune"),
        (_tick_with("decision", value=None), "missing field decision"),
    ],
)
def test_a_faulty_tick_is_refused_by_name(text: str, fault: str) -> None:
    """The fault names the field and what was expected there."""
    with pytest.raises(FlightFault) as caught:
        parse_tick(text)

    assert str(caught.value).startswith(fault)


def test_an_older_record_without_a_newer_field_still_loads() -> None:
    """A field with a default, in an object or in an array, may be absent."""
    header, line = json.loads(header_line(a_header())), json.loads(A_TICK)
    at = header["rows"]["WorkerReading"].index("memory")
    del header["rows"]["WorkerReading"][at], line["snapshot"]["held_until"], header["policy"]["calm_seconds"]
    for worker in line["snapshot"]["workers"]:
        del worker[at]
    read = parse_header(json.dumps(header))
    tick = parse_tick(json.dumps(line), read.rows)

    assert (Policy().calm_seconds, Missing("not read yet"), None) == (
        read.policy.calm_seconds, tick.snapshot.workers[0].memory, tick.snapshot.held_until,
    )  # fmt: skip


def test_a_newer_record_with_more_fields_still_loads() -> None:
    """What this version does not know it does not need."""
    header, line = json.loads(header_line(a_header())), json.loads(A_TICK)
    header["rows"]["WorkerReading"].insert(0, "mood")
    header["policy"]["mood"] = line["snapshot"]["mood"] = "good"
    for worker in line["snapshot"]["workers"]:
        worker.insert(0, "good")
    tick = parse_tick(json.dumps(line), parse_header(json.dumps(header)).rows)

    assert parse_tick(A_TICK) == tick


def test_a_memory_of_another_shape_is_missing_and_says_so() -> None:
    """The law of another version remembers other things; the replay then starts afresh."""
    read = parse_header(_header_with(history={"marks": 7}))

    assert Missing("the law of autotune 1.2.3 remembered something else: .marks: must be an array, is 7") == (
        read.history
    )


def test_times_are_shown_on_the_wall_clock() -> None:
    """The header ties both clocks together."""
    assert 1010.5 == unix_seconds(a_header(), 50.25)
