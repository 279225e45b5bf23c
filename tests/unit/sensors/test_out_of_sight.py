"""Limits that cannot be seen from here are Missing with a reason, or known to be out of sight; never the machine's."""

import errno
import os
from pathlib import Path

import pytest
from tests.unit.sensors.test_least_room import MIB, V2, Tree

from gunicorn_autotune.model.readings import UNLIMITED, Missing
from gunicorn_autotune.sensors import memory, process, sock_diag
from gunicorn_autotune.sensors.cgroup import find_cgroup, grants_memory, read_host
from gunicorn_autotune.sensors.hierarchy import hides_ancestors


@pytest.fixture
def container(tmp_path):
    """A cgroup namespace of its own: its path is `/`."""
    tree = Tree(tmp_path)
    tree.write("proc/self/cgroup", "0::/\n")
    return tree


def test_a_mount_that_begins_above_the_namespace_tells_no_limits(container):
    """The host's /sys/fs/cgroup bound into a container: what stands at its top is the machine's, not ours."""
    container.write("proc/self/mountinfo", V2.replace(" / /sys", " /../../.. /sys"))
    reading = container.reading

    assert isinstance(reading.memory_limit_bytes, Missing)
    assert "/../../.., which is above this cgroup namespace" in reading.memory_limit_bytes.why
    assert isinstance(reading.cpu_quota_cores, Missing)
    assert isinstance(reading.pids_limit, Missing)


def test_a_second_mount_that_shows_our_own_cgroup_is_taken(container):
    """Such a container with a mount of its own beside it."""
    bound = V2.replace(" / /sys/fs/cgroup", " /../.. /host/cgroup")
    container.write("proc/self/mountinfo", bound + V2)
    container.limit("", 300)
    container.use("", 100)

    assert container.read() == (300, 100, "/memory.max")


def test_a_process_outside_of_its_namespace_knows_no_limits(container):
    """nsenter, or a process that was moved: the cgroup that is shown at the top is another one."""
    container.write("proc/self/cgroup", "0::/../other.slice\n")

    assert "outside this cgroup namespace" in container.reading.memory_limit_bytes.why


@pytest.mark.parametrize("file", ["cgroup.type", "memory.max"])
def test_a_namespace_root_hides_what_is_above_it(container, file):
    """Only the real root of all cgroups has neither file."""
    before = hides_ancestors(find_cgroup(container.root).memory)
    (container.top / file).write_text("max\n")

    assert (before, hides_ancestors(find_cgroup(container.root).memory)) == (False, True)


def test_v1_container_hides_what_is_above_it(tmp_path):
    """release_agent is in the real root alone."""
    tree = Tree(tmp_path, version=1)
    before = hides_ancestors(find_cgroup(tree.root).memory)
    (tree.top / "release_agent").write_text("\n")

    assert (before, hides_ancestors(find_cgroup(tree.root).memory)) == (True, False)


def test_a_limit_in_view_is_told_from_none(container):
    """What the doctor's warning depends on."""
    before = grants_memory(find_cgroup(container.root))
    container.use("", 100)
    container.limit("", 300)

    assert (before, grants_memory(find_cgroup(container.root))) == (False, True)


def test_hidden_proc_files_leave_what_does_not_depend_on_them(tmp_path):
    """ProcSubset=pid: no meminfo, no pressure; the cgroup's figures are there, and nothing is called unlimited."""
    tree = Tree(tmp_path)
    tree.limit("a.slice/a.service", 300)
    tree.write("sys/fs/cgroup/a.slice/a.service/cpu.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=7\n")
    (tree.root / "proc/meminfo").unlink()
    reading = tree.reading

    assert (reading.memory_limit_bytes, reading.cpu_quota_cores) == (300 * MIB, UNLIMITED)
    assert reading.cpu_pressure.some_seconds == 7e-6
    assert isinstance(reading.memory_pressure, Missing)


def test_a_forbidden_address_family_names_the_line_of_the_unit(monkeypatch):
    """RestrictAddressFamilies without AF_NETLINK answers EAFNOSUPPORT to socket()."""

    def refuse(*_):
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))

    monkeypatch.setattr(sock_diag.socket, "socket", refuse)

    assert "RestrictAddressFamilies=" in sock_diag.read_unix_queue(7).why
    assert "AF_NETLINK" in sock_diag.read_unix_queue(7).why


def test_memory_of_another_users_worker_names_the_capability(monkeypatch):
    """A root arbiter with `user = www-data` and without CAP_SYS_PTRACE: EACCES at open."""
    why = Missing(f"/proc/7/smaps_rollup: {os.strerror(errno.EACCES)}")
    monkeypatch.setattr(memory, "read_text", lambda path: why)

    assert "CAP_SYS_PTRACE" in memory.read_memory(7).why
    assert "/proc/7/smaps_rollup" in memory.read_memory(7).why


@pytest.mark.parametrize(
    ("capabilities", "may"), [("000001ffffffffff", True), ("00000000000405fb", False), ("", False)]
)
def test_the_capability_is_bit_19_of_the_effective_set(tmp_path, capabilities, may):
    """The second is podman's default set."""
    Path(tmp_path / "self").mkdir()
    (tmp_path / "self/status").write_text(f"CapPrm:\t000001ffffffffff\nCapEff:\t{capabilities}\nCapBnd:\t0\n")

    assert may == process.may_trace(tmp_path)


def test_a_process_without_a_status_file_may_not_trace(tmp_path):
    """Unknown is no."""
    assert not process.may_trace(tmp_path)


def test_no_mount_at_all_leaves_the_machine(tmp_path):
    """A plain machine without cgroups, where the machine's memory is the limit; doctor says what it may also mean."""
    tree = Tree(tmp_path)
    tree.write("proc/self/mountinfo", "24 30 0:22 / /proc rw - proc proc rw\n")

    assert read_host(find_cgroup(tree.root), 4).memory_limit_origin == "machine"


def test_a_mount_that_is_bound_over_is_not_looked_for(container):
    """The path shows the later one: the host's view, whose limits are not ours."""
    container.write("proc/self/mountinfo", V2 + V2.replace(" / /sys", " /../../.. /sys"))

    assert "above this cgroup namespace" in container.reading.memory_limit_bytes.why
