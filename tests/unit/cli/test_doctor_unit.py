"""What doctor says of a service when memory runs out, and of what its unit hides."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gunicorn_autotune.cli import checks_unit, doctor, unit
from gunicorn_autotune.cli.finding import Host, Level
from gunicorn_autotune.model.readings import Missing
from tests.unit.cli.hosts import SYNC, a_host, a_policy, a_probe, answer

FILES = {"memory.max": "max", "memory.high": "max", "memory.oom.group": "0", "memory.swap.current": "0"}
NO_SWAP = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
SWAP = NO_SWAP + "/dev/vda2                               partition\t1048572\t\t300\t\t-2\n"


@pytest.fixture
def service(tmp_path: Path) -> Callable[..., Host]:
    """A host where shop.service in web.slice serves; files of each level are given, `swaps` is /proc/swaps."""

    def make(own: dict[str, str] | None = None, parent: dict[str, str] | None = None, swaps: str = NO_SWAP) -> Host:
        slices = tmp_path / "fs" / "web.slice"
        shop = slices / "shop.service"
        shop.mkdir(parents=True, exist_ok=True)
        for folder, files in ((shop, own), (slices, parent)):
            for name, text in (FILES | (files or {})).items():
                (folder / name).write_text(f"{text}\n")
        (tmp_path / "proc").mkdir(exist_ok=True)
        (tmp_path / "proc" / "swaps").write_text(swaps)
        levels = (str(shop), str(slices), str(tmp_path / "fs"))
        return replace(a_host(), root=tmp_path, watched=unit.Watched("arbiter 7", levels, "shop.service"))

    return make


def live(host: Host) -> Host:
    """Not a recorded one: its systemd may be asked."""
    return replace(host, cgroups=replace(host.cgroups, root=""))


def test_one_process_killed_is_as_it_should_be(service: Callable[..., Host]) -> None:
    """Every level says 0; the root of the tree has no such file, and needs none."""
    found = answer("oom_group", service())

    assert (found.level, found.finding) == (
        Level.OK, "0 for shop.service of arbiter 7: the kernel kills one process, and Gunicorn replaces a worker",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("own", "parent", "cure"),
    [("1", "0", "OOMPolicy=continue in the unit"), ("0", "1", "echo 0 > .*/web.slice/memory.oom.group")],
)
def test_all_processes_killed_at_once_is_a_warning_with_its_cure(
    own: str, parent: str, cure: str, service: Callable[..., Host]
) -> None:
    """At our own level, which systemd writes, and at a slice above it."""
    found = answer("oom_group", service({"memory.oom.group": own}, {"memory.oom.group": parent}))

    assert (found.level, re.search(cure, found.advice) is not None) == (Level.WARN, True), found.advice


def test_kubernetes_is_named_where_it_groups(service: Callable[..., Host], monkeypatch: pytest.MonkeyPatch) -> None:
    """No unit to write a line into; the kubelet decides."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")

    assert "singleProcessOOMKill" in answer("oom_group", service({"memory.oom.group": "1"})).advice


@pytest.mark.parametrize("check", ["oom_group", "memory_high"])
def test_what_cannot_be_read_is_not_called_well(check: str, service: Callable[..., Host]) -> None:
    """Garbage, and a cgroup that is not shown here."""
    garbled = answer(check, service({"memory.oom.group": "?", "memory.high": "?"}))
    host = service()
    hidden = answer(check, replace(host, watched=replace(host.watched, levels=Missing("not shown here"))))

    assert [(one.level, one.finding[:10]) for one in (garbled, hidden)] == [(Level.WARN, "not known:")] * 2


@pytest.mark.parametrize("check", ["oom_group", "memory_high"])
def test_cgroup_v1_has_nothing_of_the_kind(check: str) -> None:
    """No line rather than a wrong one."""
    assert doctor.CHECKS[check](a_host("cgroup-v1")) is None


@pytest.mark.parametrize(
    ("policy", "level", "words"),
    [
        ("continue", Level.OK, "Gunicorn replaces a worker"),
        ("stop", Level.WARN, "ends the whole service"),
        ("kill", Level.WARN, "killed at once"),
        ("", Level.WARN, "not known"),
        ("later", Level.WARN, "not known"),
    ],
)
def test_systemds_policy_is_told(
    policy: str, level: Level, words: str, service: Callable[..., Host], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it means for a worker; a word that nobody knows is not called well."""
    monkeypatch.setattr(checks_unit, "ask", lambda unit, user: {"OOMPolicy": policy})
    found = answer("oom_policy", live(service()))

    assert (found.level, words in found.finding) == (level, True), found.finding


def test_systemd_that_does_not_answer_is_said_to_be_unknown(
    service: Callable[..., Host], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container without systemctl; no unit, no line at all."""
    monkeypatch.setattr(checks_unit, "ask", lambda unit, user: Missing("systemctl: No such file"))
    host = live(service())
    found = answer("oom_policy", host)

    assert (found.level, found.finding) == (Level.WARN, "of shop.service not known: systemctl: No such file")
    assert doctor.CHECKS["oom_policy"](replace(host, watched=replace(host.watched, unit=""))) is None


@pytest.mark.parametrize("level", ["own", "parent"])
def test_memory_high_is_a_warning_wherever_it_stands(level: str, service: Callable[..., Host]) -> None:
    """The unit's own, and a slice's; without swap it is worse."""
    high = {"memory.high": str(250 << 20)}
    own, parent = (high, None) if level == "own" else (None, high)
    alone = answer("memory_high", service(own, parent))
    beside_swap = answer("memory_high", service(own, parent, SWAP))

    assert (alone.level, beside_swap.level, alone.finding.startswith("250 MiB at ")) == (Level.WARN, Level.WARN, True)
    assert ["sooner without swap" in one.finding for one in (alone, beside_swap)] == [True, False]


def test_no_memory_high_is_as_it_should_be(service: Callable[..., Host]) -> None:
    """MemoryMax alone is what doctor advises."""
    assert answer("memory_high", service({"memory.max": "1000000"})).level == Level.OK


@pytest.mark.parametrize(
    ("swaps", "ours", "level", "words"),
    [
        (NO_SWAP, "0", Level.OK, "none"),
        (SWAP, "0", Level.OK, "none of it used"),
        (SWAP, "4194304", Level.WARN, "4 MiB of it ours"),
        (SWAP, "?", Level.WARN, "not known"),
        ("garbage\ngarbage\n", "0", Level.WARN, "not known"),
    ],
)
def test_swap_that_hides_memory_is_told(
    swaps: str, ours: str, level: Level, words: str, service: Callable[..., Host]
) -> None:
    """Of the machine, and how much of it is ours."""
    found = answer("swap", service({"memory.swap.current": ours}, swaps=swaps))

    assert (found.level, words in found.finding) == (level, True), found.finding


@pytest.mark.parametrize(("own", "level"), [(False, Level.WARN), (True, Level.OK)], ids=["private-tmp", "own-folder"])
def test_a_command_socket_that_others_cannot_see_is_a_warning(
    own: bool, level: Level, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PrivateTmp= without a folder of the service's own; with one, a mount of its own, all is well."""
    mine = tmp_path / "run"
    (tmp_path / "proc" / "self").mkdir(parents=True)
    mine.mkdir()
    (tmp_path / "proc" / "self" / "mountinfo").write_text(
        "40 1 8:1 / / rw shared:1 - ext4 /dev/vda rw\n"
        "50 40 8:1 /tmp/systemd-private-0a-shop.service-x/tmp /tmp rw shared:1 - ext4 /dev/vda rw\n"
        f"51 40 0:9 / {mine} rw shared:1 - tmpfs tmpfs rw\n"
    )
    folder = (mine if own else Path("/tmp")) / "gunicorn-autotune"
    monkeypatch.setattr(checks_unit, "automatic_folder", lambda *_: folder)
    found = answer("command_socket", replace(a_host(), root=tmp_path))

    assert (found.level, found.advice) == (level, "" if own else "RuntimeDirectory=NAME in the unit"), found.finding


def test_a_command_socket_without_a_place_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """ProtectSystem=strict: no folder for temporary files, or a written path that is not there; off is off."""

    def none_usable(*_: object) -> Path:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(checks_unit, "automatic_folder", none_usable)
    probes = [a_probe(policy=a_policy(command_socket=one)) for one in ("auto", f"{os.devnull}/c.sock", "off")]

    assert [answer("command_socket", a_host(probe=one)).level for one in probes] == [
        Level.WARN, Level.WARN, Level.OK,
    ]  # fmt: skip


def test_a_folder_for_the_command_socket_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    """Not that it cannot be written."""
    probe = a_probe(policy=a_policy(command_socket=f"{tmp_path}/gone/c.sock"))

    assert answer("command_socket", a_host(probe=probe)).finding == f"{tmp_path}/gone does not exist"


def test_swap_is_not_asked_about_under_cgroup_v1(service: Callable[..., Host]) -> None:
    """It does not count it by service, and no line of a unit keeps a service out of it."""
    host = service(swaps=SWAP)
    v1 = replace(host, watched=replace(host.watched, levels=()))

    assert "swap" not in doctor.examine(v1)


def test_a_reload_that_does_not_deploy_is_told() -> None:
    """preload_app: by Gunicorn's own rule."""
    probes = [a_probe(settings=SYNC | {"preload_app": on}) for on in (True, False)]
    kept, brought = (answer("reload", a_host(probe=one)).finding for one in probes)

    assert ("only a restart" in kept, "brings new code" in brought) == (True, True)
