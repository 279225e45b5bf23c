import re
import resource
from dataclasses import replace
from pathlib import Path

import pytest

from gunicorn_autotune.cli.doctor import CHECKS
from gunicorn_autotune.cli.finding import Level
from gunicorn_autotune.model.readings import UNLIMITED
from tests.server import free_port
from tests.unit.cli.hosts import GTHREAD, SYNC, a_host, a_policy, a_probe, answer
from tests.unit.cli.pages import answering


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("systemd-slice", "1.5 cores: quota of /sys/fs/cgroup/system.slice/gunicorn.service"),
        ("v2-nested", "2.5 cores: quota of /sys/fs/cgroup/web.slice"),
        ("podman", "2 cores: quota of /sys/fs/cgroup"),
        ("none", "1 core: every core of the machine"),
    ],
)
def test_cpu_limit_names_its_origin(host, expected):
    """The level whose file an operator would change."""
    assert answer("cpu_limit", a_host(host)).finding == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("systemd-slice", "1.8 GiB, 33% in use: /sys/fs/cgroup/system.slice/gunicorn.service/memory.high"),
        ("v2-nested", "512 MiB, 66% in use: /sys/fs/cgroup/web.slice/web-shop.slice/memory.max"),
        ("hybrid", "512 MiB, 78% in use: /sys/fs/cgroup/memory/app/memory.limit_in_bytes"),
        ("none", "990 MiB, 41% in use: memory of the machine"),
    ],
)
def test_memory_limit_names_its_origin_and_use(host, expected):
    """v1 and v2, own level, ancestor and machine."""
    assert answer("memory_limit", a_host(host)).finding == expected


def test_memory_in_the_reserve_is_a_warning():
    """Nothing could grow."""
    host = a_host()
    full = replace(host, reading=replace(host.reading, memory_used_bytes=host.reading.memory_limit_bytes))

    assert "nothing can grow" in answer("memory_limit", full).finding


@pytest.mark.parametrize(("gib", "origin"), [(1, "memory_limit_bytes"), (8, "memory.high")])
def test_operators_own_limits_are_the_origin(gib, origin):
    """Of memory only where they leave less room than the kernel, which kills at its own limit whatever is written."""
    host = a_host(probe=a_probe(policy=a_policy(cpu_limit_cores=3.0, memory_limit_bytes=gib << 30)))

    assert answer("cpu_limit", host).finding == "3 cores: cpu_limit_cores"
    assert answer("memory_limit", host).finding.endswith(origin)


def test_pids_limit_that_max_workers_do_not_fit_into_is_a_warning():
    """Threads count too: 20 workers of 4 threads and 2 more tasks each."""
    probe = a_probe(settings=GTHREAD, policy=a_policy(max_workers=20))

    assert answer("pids_limit", a_host("cgroup-v1", probe=probe)).finding.endswith("; 20 workers need 120")


def test_automatic_max_workers_follows_the_host():
    """16 per core + 8, one per 32 MiB: half a core and 256 MiB give 8."""
    assert answer("max_workers", a_host("cgroup-v1")).finding.startswith("8, automatic")


def test_hierarchies_are_told_per_controller():
    """A hybrid host is v1 where it counts."""
    assert "memory: v1 /sys/fs/cgroup/memory/app/web" in answer("cgroup", a_host("hybrid")).finding


def test_somaxconn_below_the_backlog_is_a_warning_with_the_queue_you_get():
    """The kernel cuts without a word."""
    assert answer("somaxconn", a_host("cgroup-v1")).finding == "128: Gunicorn's backlog of 2048 becomes 128"
    assert answer("somaxconn", a_host("podman")).level is Level.OK


def test_few_open_files_are_a_warning():
    """Below 4096 and below twice worker_connections."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, before[1]))
    try:
        finding = answer("open_files", a_host())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    assert (finding.level, finding.finding) == (Level.WARN, "1024 in this shell, less than 4096")


def test_heartbeat_on_a_disk_is_a_warning(tmp_path):
    """Recorded host: / is ext4."""
    probe = a_probe(settings=SYNC | {"worker_tmp_dir": str(tmp_path)})

    assert "is on ext4: a stalled disk" in answer("worker_tmp_dir", a_host(probe=probe)).finding


def test_heartbeat_folder_that_is_not_there_fails(tmp_path):
    """Gunicorn would raise at each fork."""
    probe = a_probe(settings=SYNC | {"worker_tmp_dir": str(tmp_path / "gone")})

    assert answer("worker_tmp_dir", a_host(probe=probe)).level is Level.FAIL


def metrics_finding(address):
    """The check of an exporter's address."""
    return answer("metrics", a_host(probe=a_probe(policy=a_policy(metrics=address))))


def test_free_metrics_port_is_fine():
    """And off is a choice."""
    assert (metrics_finding(f"127.0.0.1:{free_port()}").level, metrics_finding("off").level) == (Level.OK, Level.OK)


def test_metrics_port_of_another_program_is_a_warning():
    """The exporter would wait for it."""
    with answering({"/": (200, "hello")}) as address:
        finding = metrics_finding(address)

    assert (finding.level, "cannot be had (Address already in use)" in finding.finding) == (Level.WARN, True)


def test_metrics_port_of_our_own_exporter_is_fine():
    """Doctor beside a running server must not complain about it."""
    with answering({"/": (200, "gunicorn-autotune exporter\n")}) as address:
        assert metrics_finding(address).level is Level.OK


def test_metrics_open_to_the_network_are_a_warning(tmp_path):
    """Unless a token guards them."""
    guarded = a_probe(policy=a_policy(metrics=f":{free_port()}", metrics_bearer_token_file=str(tmp_path)))

    assert "open to the network" in metrics_finding(f"0.0.0.0:{free_port()}").finding
    assert answer("metrics", a_host(probe=guarded)).level is Level.OK


def test_metrics_socket_in_a_folder_that_is_not_there_is_a_warning(tmp_path):
    """A UNIX socket needs its folder first."""
    findings = metrics_finding(f"unix:{tmp_path}/m.sock"), metrics_finding(f"unix:{tmp_path}/gone/m.sock")

    assert [one.level for one in findings] == [Level.OK, Level.WARN]


def test_throttling_is_told_only_under_a_quota():
    """Without one the line would be noise."""
    host = a_host()
    free = replace(host, reading=replace(host.reading, cpu_quota_cores=UNLIMITED))

    assert (CHECKS["throttling"](free), answer("throttling", host).level) == (None, Level.OK)


def test_oom_kills_are_a_warning():
    """Recorded host: two."""
    assert answer("oom_kills", a_host()).finding == "2 in this cgroup since it was made"


def test_a_process_that_can_be_read_is_said_with_what_it_takes():
    """Our own, in this machine's /proc."""
    found = answer("process", replace(a_host(), root=Path("/")))

    assert found.level is Level.OK
    assert re.search(r"can be read \(ours: \d+ MiB\)$", found.finding)
