"""Of all that limits memory the one with the least room counts: limit minus use, ancestors and machine included."""

from pathlib import Path

import pytest

from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.sensors import cgroup_v1
from gunicorn_autotune.sensors.cgroup import find_cgroup, read_host

MIB = 1 << 20
V2 = "35 25 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
V1 = "35 25 0:30 {root} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"


class Tree:
    """A host made of files: a slice, a service in it, and the machine."""

    def __init__(self, root, version=2, mount_root="/"):
        self.root, self.version = root, version
        self.top = root / "sys/fs/cgroup" / ("" if version == 2 else "memory")
        self.write("proc/self/mountinfo", V2 if version == 2 else V1.format(root=mount_root))
        self.write("proc/self/cgroup", "0::/a.slice/a.service\n" if version == 2 else "4:memory:/a.slice/a.service\n")
        self.machine(8192, 8000)
        self.use("a.slice", 100)
        self.use("a.slice/a.service", 50)

    def write(self, path, text):
        """One file below the root."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def machine(self, total_mib, available_mib):
        """/proc/meminfo."""
        self.write("proc/meminfo", f"MemTotal: {total_mib << 10} kB\nMemAvailable: {available_mib << 10} kB\n")

    def use(self, level, mib, cached_mib=7, hierarchical=1 << 62):
        """What is in use at a level, its page cache on top of it."""
        folder = self.top / level
        folder.mkdir(parents=True, exist_ok=True)
        names = ("memory.current", "inactive_file") if self.version == 2 else (
            "memory.usage_in_bytes", "total_inactive_file")  # fmt: skip
        (folder / names[0]).write_text(f"{(mib + cached_mib) * MIB}\n")
        extra = "" if self.version == 2 else f"hierarchical_memory_limit {hierarchical}\n"
        (folder / "memory.stat").write_text(f"{extra}{names[1]} {cached_mib * MIB}\n")

    def limit(self, level, mib, file="memory.max"):
        """A limit at a level."""
        (self.top / level / file).write_text(f"{mib * MIB}\n")

    def read(self):
        """(limit, use, origin), MiB."""
        reading = self.reading
        return reading.memory_limit_bytes // MIB, reading.memory_used_bytes // MIB, reading.memory_limit_origin

    @property
    def reading(self):
        """All of it."""
        return read_host(find_cgroup(self.root), 4)


@pytest.fixture
def tree(tmp_path):
    """A cgroup v2 host without limits."""
    return Tree(tmp_path)


def test_a_slice_that_is_nearly_full_limits_before_a_smaller_limit_of_our_own(tree):
    """400 MiB with 376 in use leave 24, whatever our own 300 with 43 in use say."""
    tree.limit("a.slice", 400)
    tree.use("a.slice", 376)
    tree.limit("a.slice/a.service", 300)
    tree.use("a.slice/a.service", 43)

    assert tree.read() == (400, 376, "/a.slice/memory.max")


def test_a_machine_that_is_nearly_full_limits_before_a_smaller_limit_of_our_own(tree):
    """MemoryMax=1500M with 3 % in use says nothing where the machine has 285 MiB left."""
    tree.limit("a.slice/a.service", 1500)
    tree.machine(2048, 285)

    assert tree.read() == (2048, 1763, "machine")


def test_our_own_limit_counts_while_all_others_have_more_room(tree):
    """The same host with a neighbour that left."""
    tree.limit("a.slice", 400)
    tree.limit("a.slice/a.service", 300)

    assert tree.read() == (300, 50, "/a.slice/a.service/memory.max")


def test_of_equal_rooms_the_nearest_to_us_counts(tree):
    """Two levels with 250 MiB left each."""
    tree.limit("a.slice", 350)
    tree.limit("a.slice/a.service", 300)

    assert tree.read()[2] == "/a.slice/a.service/memory.max"


@pytest.mark.parametrize(
    ("high_mib", "read"),
    [(250, (250, 50, "/a.slice/a.service/memory.high")), (350, (300, 50, "/a.slice/a.service/memory.max"))],
)
def test_memory_high_is_a_limit_to_stay_below_where_it_is_the_lower_one(tree, high_mib, read):
    """Above it every allocation is throttled; the file that limits is named."""
    tree.limit("a.slice/a.service", 300)
    tree.limit("a.slice/a.service", high_mib, "memory.high")

    assert tree.read() == read


def test_the_smallest_limit_stays_the_same_when_another_level_limits(tree):
    """What shares of memory are shares of must not leap with a neighbour's use."""
    tree.limit("a.slice/a.service", 1500)
    before = tree.reading.memory_least_limit_bytes
    tree.machine(2048, 285)

    assert (before, tree.reading.memory_least_limit_bytes) == (1500 * MIB, 1500 * MIB)


def test_our_own_use_is_told_beside_that_of_the_level_that_limits(tree):
    """A limit written in memory_limit_bytes is compared with it."""
    tree.machine(2048, 285)

    assert tree.reading.memory_own_bytes == 50 * MIB


def test_a_level_whose_use_cannot_be_read_counts_with_its_whole_limit(tree):
    """Its room is unknown, but no more than that: it is chosen where no other has less, and then use is Missing."""
    tree.limit("a.slice", 400)
    (tree.top / "a.slice/memory.current").write_text("many\n")
    chosen = tree.reading
    tree.limit("a.slice/a.service", 300)

    assert (chosen.memory_limit_bytes, type(chosen.memory_used_bytes)) == (400 * MIB, Missing)
    assert tree.read()[2] == "/a.slice/a.service/memory.max"


def test_a_machine_that_does_not_tell_its_memory_is_missing_not_unlimited(tree):
    """ProcSubset=pid hides /proc/meminfo: nobody knows what is left."""
    (tree.root / "proc/meminfo").unlink()
    reading = tree.reading

    assert isinstance(reading.memory_limit_bytes, Missing)
    assert "meminfo" in reading.memory_limit_bytes.why


def test_a_cgroup_limit_counts_where_the_machine_does_not_tell(tree):
    """The same with a MemoryMax."""
    tree.limit("a.slice/a.service", 300)
    (tree.root / "proc/meminfo").unlink()

    assert tree.read() == (300, 50, "/a.slice/a.service/memory.max")


@pytest.fixture
def tree_v1(tmp_path):
    """A cgroup v1 host with 300 MiB of our own."""
    tree = Tree(tmp_path, version=1)
    tree.use("a.slice/a.service", 43, hierarchical=300 * MIB)
    tree.limit("a.slice/a.service", 300, "memory.limit_in_bytes")
    return tree


def test_v1_takes_the_ancestor_with_the_least_room(tree_v1):
    """hierarchical_memory_limit is the smallest limit, not the one with the least room."""
    tree_v1.limit("a.slice", 400, "memory.limit_in_bytes")
    tree_v1.use("a.slice", 376)

    assert tree_v1.read() == (400, 376, "/a.slice/memory.limit_in_bytes")


def test_v1_ancestor_that_keeps_its_limit_to_itself_limits_nothing(tree_v1):
    """use_hierarchy = 0: its 200 MiB are not in our hierarchical_memory_limit."""
    tree_v1.limit("a.slice", 200, "memory.limit_in_bytes")
    tree_v1.use("a.slice", 199)

    assert tree_v1.read() == (300, 43, "/a.slice/a.service/memory.limit_in_bytes")


def test_v1_limit_out_of_sight_is_told_with_the_use_of_the_highest_level_in_view(tmp_path):
    """A container's mount shows its own subtree; the pod's 200 MiB are seen in memory.stat alone."""
    tree = Tree(tmp_path, version=1)
    tree.use("a.slice/a.service", 43, hierarchical=200 * MIB)
    tree.use("", 150)

    limit, used, origin = tree.read()

    assert (limit, used) == (200, 150)
    assert origin.endswith("hierarchical_memory_limit")


def test_v1_cgroup_that_is_gone_is_missing(tree_v1):
    """Not the machine's memory."""
    cgroups = find_cgroup(tree_v1.root)
    Path(tree_v1.root / "sys").rename(tree_v1.root / "gone")

    assert isinstance(read_host(cgroups, 4).memory_limit_bytes, Missing)


def test_v1_limit_that_cannot_be_read_is_missing(tree_v1):
    """memory.stat without its line; not the limit of a level that may be the larger one."""
    (tree_v1.top / "a.slice/a.service/memory.stat").write_text("cache 1\n")

    assert isinstance(tree_v1.reading.memory_limit_bytes, Missing)


def test_v1_limit_that_is_raised_between_two_reads_is_not_set_against_the_machines_use(tree_v1, monkeypatch):
    """memory.stat still has the old one, and nowhere in view stands such a limit."""
    told = iter([200 * MIB, 300 * MIB])
    monkeypatch.setattr(cgroup_v1, "limit_in", lambda path, parse: next(told))

    levels = find_cgroup(tree_v1.root).memory.levels

    assert [300 * MIB] == [grant.limit for grant in cgroup_v1.read_memory_grants(levels)]
