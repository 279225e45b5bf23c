"""The words of cgroup, mountinfo, meminfo and PSI files: what each parser makes of them."""

import pytest

from gunicorn_autotune.model.readings import UNLIMITED, Missing, PressureReading
from gunicorn_autotune.sensors import cgroup_v1, cgroup_v2
from gunicorn_autotune.sensors.cgroup import parse_meminfo_bytes
from gunicorn_autotune.sensors.files import parse_count, parse_cpu_list, parse_keyed_count, parse_max
from gunicorn_autotune.sensors.hierarchy import levels_between, parse_membership, relative_path
from gunicorn_autotune.sensors.limits import mount_of
from gunicorn_autotune.sensors.mounts import Mount, parse_mountinfo
from gunicorn_autotune.sensors.pressure import parse_pressure


@pytest.mark.parametrize(
    ("text", "expected"),
    [("150000 100000\n", 1.5), ("max 100000\n", UNLIMITED), ("50000 100000", 0.5), ("0 100000", None), ("5 0", None),
     ("100000", None), ("", None), ("-1 100000", None), ("1e5 100000", None)],
)  # fmt: skip
def test_cpu_max_is_cores_unlimited_or_garbage(text, expected):
    """Quota over period is cores; a zero quota or period is no limit anyone set."""
    assert expected == cgroup_v2.parse_cpu_max(text)


@pytest.mark.parametrize(
    ("quota", "period", "expected"),
    [("-1\n", "100000\n", UNLIMITED), ("25000", "50000", 0.5), ("0", "100000", None), ("-2", "100000", None),
     ("abc", "100000", None), ("1000", "0", None)],
)  # fmt: skip
def test_v1_quota_of_minus_one_is_unlimited(quota, period, expected):
    """v1 spells "none" as -1, and no other negative number."""
    assert expected == cgroup_v1.parse_cfs(quota, period)


@pytest.mark.parametrize("none", [9223372036854771712, 9223372036854710272, 1 << 60])
def test_v1_limit_from_2_to_the_60_up_is_unlimited(none):
    """The kernel's "none" depends on the page size: 4 KiB and 64 KiB pages give different numbers."""
    assert cgroup_v1.parse_hierarchical_limit(f"cache 1\nhierarchical_memory_limit {none}\n") == UNLIMITED


def test_v1_hierarchical_limit_below_that_is_bytes():
    """A real limit comes out as it is."""
    assert cgroup_v1.parse_hierarchical_limit("hierarchical_memory_limit 536870912\n") == 536870912


@pytest.mark.parametrize(
    ("text", "expected"), [("max\n", UNLIMITED), ("0\n", 0), ("512", 512), ("-1", None), ("", None)]
)
def test_max_zero_and_garbage_are_three_things(text, expected):
    """A limit of zero is a limit."""
    assert expected == parse_max(text)


@pytest.mark.parametrize(
    "word",
    [
        "",
        "-1",
        "+1",
        "1_0",
        "\N{ARABIC-INDIC DIGIT THREE}",
        "\N{SUPERSCRIPT TWO}",
        "1.0",
        "0x10",
        "9" * 21,
        " 1",
        "nan",
    ],
)
def test_count_refuses_what_no_kernel_prints(word):
    """int() would take several of these."""
    assert parse_count(word) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0-3,8\n", 5), ("0", 1), ("0-1,3", 3), ("\n", None), ("3-1", None), ("a-b", None), ("0-3,", None)],
)
def test_cpu_list_counts_cpus(text, expected):
    """Ranges are inclusive; an empty or reversed list is garbage."""
    assert expected == parse_cpu_list(text)


@pytest.mark.parametrize("key", ["oom", "oom_kill", "low"])
def test_keyed_count_takes_the_whole_key(key):
    """`oom` must not find `oom_kill`, wherever it stands."""
    text = "low 1\noom_kill 3\noom 2\n"

    assert {"low": 1, "oom": 2, "oom_kill": 3}[key] == parse_keyed_count(text, key)


def test_keyed_count_of_an_absent_or_negative_value_is_none():
    """No line and a negative number are equally no count."""
    assert (parse_keyed_count("a 1\n", "b"), parse_keyed_count("b -1\n", "b")) == (None, None)


def test_membership_keeps_colons_in_paths_and_drops_the_deleted_mark():
    """Paths may hold colons; ` (deleted)` is the kernel's remark, not part of the name."""
    text = "3:cpu,cpuacct:/a:b\n0::/gone (deleted)\nnonsense\n"

    assert parse_membership(text) == {"cpu": "/a:b", "cpuacct": "/a:b", "": "/gone"}


@pytest.mark.parametrize(
    ("path", "mount_root", "expected"),
    [("/", "/", ""), ("/a/b", "/", "/a/b"), ("/docker/x", "/docker/x", ""), ("/docker/x/y", "/docker/x", "/y"),
     ("/docker/xy", "/docker/x", None), ("/../other", "/", None), ("/", "/docker/x", None)],
)  # fmt: skip
def test_path_is_taken_relative_to_the_mount_root(path, mount_root, expected):
    """A path the mount does not show, or one that climbs out of the namespace, has no place below it."""
    assert expected == relative_path(path, mount_root)


def test_levels_run_from_own_up_to_the_mount_point(tmp_path):
    """Own cgroup first, mount point last."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    top = str(tmp_path)

    assert (f"{top}/a/b", f"{top}/a", top) == levels_between(top, "/a/b")


def test_levels_of_a_missing_directory_are_the_mount_point(tmp_path):
    """Better the ancestor's limits than none."""
    assert (str(tmp_path),) == levels_between(str(tmp_path), "/not/here")


def test_mountinfo_counts_from_both_ends_of_the_dash():
    """Optional fields vary in number, and blanks in paths are written as \\040."""
    text = (
        "35 25 0:30 / /sys/fs/cgroup rw,nosuid shared:9 master:1 - cgroup2 cgroup2 rw,nsdelegate\n"
        "36 25 0:31 /x /mnt/with\\040blank rw - tmpfs tmpfs rw\n"
        "broken line\n"
        "36 25 - tmpfs tmpfs rw\n"
        "36 25 0:31 /x /mnt rw - tmpfs\n"
    )

    assert (
        Mount("/", "/sys/fs/cgroup", "cgroup2", ("rw", "nsdelegate")),
        Mount("/x", "/mnt/with blank", "tmpfs", ("rw",)),
    ) == parse_mountinfo(text)


def test_directory_lies_on_the_longest_and_latest_mount():
    """/run/lock is not on /run, /runner is not either, and an overmount hides what was there."""
    mounts = tuple(Mount("/", point, kind, ()) for point, kind in (("/", "ext4"), ("/run", "tmpfs"), ("/run", "ramfs")))
    kinds = [mount_of(path, mounts).filesystem for path in ("/run/gunicorn", "/runner", "/run")]

    assert kinds == ["ramfs", "ext4", "ramfs"]


def test_pressure_is_seconds_and_shares():
    """total is microseconds, avg10 percent."""
    text = (
        "some avg10=12.50 avg60=1.00 avg300=0.00 total=2500000\nfull avg10=1.00 avg60=0.00 avg300=0.00 total=500000\n"
    )

    assert PressureReading(2.5, 0.5, 0.125, 0.01) == parse_pressure(text)


def test_pressure_without_a_full_line_is_missing_in_that_part_only():
    """cpu.pressure had no `full` line before Linux 5.13."""
    reading = parse_pressure("some avg10=0.00 avg60=0.00 avg300=0.00 total=7\n")

    assert reading.some_seconds == 7e-06
    assert isinstance(reading.full_seconds, Missing)


@pytest.mark.parametrize("text", ["", "some", "some avg10=nan avg60=0 avg300=0 total=1", "full avg10=0.00 total=1\n"])
def test_pressure_garbage_is_none(text):
    """Without a `some` line there is no reading."""
    assert parse_pressure(text) is None


def test_meminfo_is_bytes():
    """The file says kB and means KiB; MemTotal must not find MemTotalX."""
    assert parse_meminfo_bytes("MemTotalX: 9 kB\nMemTotal:       2 kB\n", "MemTotal") == 2048


@pytest.mark.parametrize(
    "line", ["MemTotal: 2 MB", "MemTotal: 2 kB more", "MemTotal: 2", "MemTotal: x kB", "MemTotal:"]
)
def test_memory_in_another_shape_is_not_guessed(line):
    """Only whole kibibytes are known."""
    assert parse_meminfo_bytes(line, "MemTotal") is None
