"""Each recorded host gives the one HostReading that belongs to it."""

import shutil
from pathlib import Path

import pytest

from gunicorn_autotune.model.readings import UNLIMITED, Missing, PressureReading
from gunicorn_autotune.sensors.cgroup import find_cgroup, read_host

HOSTS = Path(__file__).parents[2] / "fixtures" / "hosts"
MIB = 1 << 20
CORES = 64


def host(name, affinity_cores=CORES):
    """The reading of a recorded host whose affinity does not narrow it, unless told."""
    return read_host(find_cgroup(HOSTS / name), affinity_cores)


def test_systemd_service_is_limited_by_its_own_memory_high():
    """MemoryHigh below MemoryMax is the limit, and use leaves out what the kernel drops first."""
    reading = host("systemd-slice")

    assert (reading.memory_limit_bytes, reading.memory_used_bytes) == (1792 * MIB, 734003200 - 104857600)


def test_systemd_service_reads_its_own_cpu_pids_throttling_and_oom_kills():
    """CPUQuota=150 %, TasksMax, throttled time and oom kills come from the service's own cgroup."""
    reading = host("systemd-slice")

    assert (reading.cpu_limit_cores, reading.cpu_quota_cores) == (1.5, 1.5)
    assert (
        reading.pids_limit, reading.pids_used, reading.cpu_throttled_seconds, reading.oom_kills,
    ) == (4915, 37, 22.5, 2)  # fmt: skip


def test_systemd_service_reads_the_pressure_of_its_own_cgroup():
    """PSI of the cgroup wins over that of the whole host."""
    assert PressureReading(22.334455, 11.0, 0.125, 0.0425) == host("systemd-slice").cpu_pressure


def test_nested_slices_tightest_parent_limits_memory_and_its_use_is_read_there():
    """A parent slice of 512 MiB beats the service's own 1 GiB, and siblings under it count as use."""
    reading = host("v2-nested")

    assert (reading.memory_limit_bytes, reading.memory_used_bytes) == (512 * MIB, (400 - 60) * MIB)


def test_nested_slices_take_quota_and_pids_from_the_ancestor_that_has_the_tightest():
    """The grandparent's 2.5 cores beat our 3, its pids.max is the only one."""
    reading = host("v2-nested")

    assert (reading.cpu_quota_cores, reading.pids_limit, reading.pids_used) == (2.5, 400, 180)


def test_nested_slices_add_up_throttling_of_all_levels():
    """Time lost to an ancestor's quota is lost too: 1.5 s here and 6 s two levels up."""
    assert host("v2-nested").cpu_throttled_seconds == 7.5


def test_podman_container_reads_its_limits_at_the_mount_root():
    """In a cgroup namespace the path is / and the mount point itself has the limit files."""
    reading = host("podman")

    assert (reading.memory_limit_bytes, reading.memory_used_bytes) == (768 * MIB, 230 * MIB)
    assert (reading.cpu_limit_cores, reading.pids_limit, reading.pids_used, reading.oom_kills) == (2.0, 2048, 19, 1)


def test_kubernetes_pod_limits_hold_for_a_container_without_its_own():
    """cpu.max and memory.max at pod level limit a container that says max."""
    reading = host("kubernetes-pod")

    assert (reading.memory_limit_bytes, reading.memory_used_bytes) == (1024 * MIB, 600 * MIB)
    assert (reading.cpu_quota_cores, reading.cpu_limit_cores, reading.cpu_throttled_seconds) == (2.0, 2.0, 41.0)


def test_v1_docker_container_reads_each_controller_at_its_mount():
    """A v1 container's mounts show only its own subtree; co-mounted cpu,cpuacct is found by its options."""
    reading = host("cgroup-v1")

    assert (reading.memory_limit_bytes, reading.memory_used_bytes) == (256 * MIB, 176 * MIB)
    assert (reading.cpu_quota_cores, reading.cpu_limit_cores, reading.cpu_throttled_seconds) == (0.5, 0.5, 45.25)
    assert (reading.pids_limit, reading.pids_used, reading.oom_kills) == (100, 12, 4)


def test_v1_host_without_psi_has_no_pressure():
    """No PSI anywhere is Missing and names both places looked at."""
    reading = host("cgroup-v1").io_pressure

    assert isinstance(reading, Missing)
    assert "proc/pressure/io" in reading.why


def test_hybrid_host_takes_controllers_from_v1_and_pressure_from_v2():
    """A `0::` line and a cgroup2 mount do not make a v2 host: the choice is per controller."""
    reading = host("hybrid")

    assert (reading.memory_limit_bytes, reading.memory_used_bytes) == (512 * MIB, 400 * MIB)
    assert (reading.cpu_quota_cores, reading.pids_limit, reading.pids_used) == (2.5, UNLIMITED, 88)
    assert PressureReading(18.0, 0.9, 0.04, 0.005) == reading.cpu_pressure


def test_host_without_cgroups_is_limited_by_its_memory_and_cores():
    """MemTotal minus MemAvailable is the use when nothing but the machine sets the limit."""
    reading = host("none")

    assert (reading.memory_limit_bytes, reading.memory_used_bytes) == (1014032 * 1024, (1014032 - 600000) * 1024)
    assert reading.cpu_limit_cores == 1.0


def test_host_without_cgroups_says_missing_not_unlimited():
    """A host that cannot be asked for a quota is not a host without one."""
    reading = host("none")

    assert isinstance(reading.cpu_quota_cores, Missing)
    assert isinstance(reading.pids_limit, Missing)


def test_memory_above_the_machines_own_is_cut_to_the_machines():
    """kubepods allows 66 GB on a 64 GiB machine: the pod's GiB wins, and MemTotal is always a limit."""
    assert host("kubernetes-pod").memory_limit_bytes < 65842176 * 1024


@pytest.mark.parametrize("cores", [1, 2])
def test_affinity_narrows_the_core_limit(cores):
    """taskset or CPUAffinity= below the quota is the limit."""
    assert float(cores) == host("v2-nested", cores).cpu_limit_cores


def test_cpuset_narrows_the_core_limit(tmp_path):
    """The effective cpuset counts when it is smaller than quota, affinity and online CPUs."""
    root = copy(tmp_path, "kubernetes-pod")
    own = find_cgroup(root).cpuset.own
    Path(own, "cpuset.cpus.effective").write_text("4\n")

    assert read_host(find_cgroup(root), CORES).cpu_limit_cores == 1.0


def test_missing_affinity_is_left_out_of_the_core_limit():
    """Hosts without sched_getaffinity still have the other three."""
    assert host("v2-nested", Missing("no sched_getaffinity")).cpu_limit_cores == 2.5


def test_limits_changed_in_place_are_seen_by_the_next_read(tmp_path):
    """An in-place resize or `systemctl set-property` needs no new find_cgroup."""
    root = copy(tmp_path, "systemd-slice")
    cgroups = find_cgroup(root)
    Path(cgroups.memory.own, "memory.max").write_text(f"{900 * MIB}\n")
    Path(cgroups.cpu.own, "cpu.max").write_text("max 100000\n")
    reading = read_host(cgroups, CORES)

    assert (
        reading.memory_limit_bytes, reading.cpu_quota_cores, reading.cpu_limit_cores,
    ) == (900 * MIB, UNLIMITED, 4.0)  # fmt: skip


def test_process_moved_to_another_cgroup_is_followed(tmp_path):
    """A new line in /proc/self/cgroup makes the old map stale: the reading comes from the new place."""
    root = copy(tmp_path, "v2-nested")
    cgroups = find_cgroup(root)
    (root / "proc/self/cgroup").write_text("0::/web.slice\n")

    assert read_host(cgroups, CORES).memory_limit_bytes == 4096 * MIB


def test_vanished_cgroup_is_missing_not_unlimited(tmp_path):
    """A cgroup tree removed under our feet must not read as "no limit"."""
    root = copy(tmp_path, "v2-nested")
    cgroups = find_cgroup(root)
    (root / "sys").rename(root / "gone")
    reading = read_host(cgroups, CORES)

    assert isinstance(reading.cpu_quota_cores, Missing)
    assert "the cgroup is gone" in reading.cpu_quota_cores.why
    assert isinstance(reading.oom_kills, Missing)


def test_unlimited_cgroup_leaves_the_machine_as_limit(tmp_path):
    """`max` on every level is Unlimited for the quota, and MemTotal for memory."""
    root = copy(tmp_path, "podman")
    own = find_cgroup(root).memory.own
    Path(own, "memory.max").write_text("max\n")
    Path(own, "cpu.max").write_text("max 100000\n")
    reading = read_host(find_cgroup(root), CORES)

    assert (
        reading.cpu_quota_cores, reading.cpu_limit_cores, reading.memory_limit_bytes,
    ) == (UNLIMITED, 16.0, 32594396 * 1024)  # fmt: skip


def test_one_unreadable_level_does_not_hide_the_others(tmp_path):
    """Garbage in our own memory.max leaves the parent's limit in force."""
    root = copy(tmp_path, "v2-nested")
    Path(find_cgroup(root).memory.own, "memory.max").write_text("plenty\n")

    assert read_host(find_cgroup(root), CORES).memory_limit_bytes == 512 * MIB


def copy(tmp_path, name):
    """A recorded host that a test may change."""
    return Path(shutil.copytree(HOSTS / name, tmp_path / name))
