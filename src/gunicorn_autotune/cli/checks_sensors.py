"""Checks of the sensors: each is used once, for real, and says whether it works."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import time
from pathlib import Path

from gunicorn_autotune.cli.asking import Place, get
from gunicorn_autotune.cli.finding import Check, Finding, Host, fail, ok, warn
from gunicorn_autotune.cli.running import running
from gunicorn_autotune.cli.servers import same_address
from gunicorn_autotune.cli.style import CommandError, bytes_text, figure
from gunicorn_autotune.exporter.address import (
    AUTO,
    AUTO_HOST,
    AUTO_PORTS,
    Address,
    first_choice,
    is_private,
    parse_address,
)
from gunicorn_autotune.model.readings import Missing, ProcessReading, Reading, Unlimited
from gunicorn_autotune.sensors import listeners, memory, process

ARRIVAL_SECONDS = 0.5
"""How long a connection of ours may take to show in the queue; over loopback it is there at once."""
PTRACE = "CAP_SYS_PTRACE in CapabilityBoundingSet=, or User= in the unit in place of Gunicorn's `user`; sizes go by RSS"
BLIND = "sizing goes by busy workers alone"


def check_metrics(host: Host) -> Finding | None:
    """Whether the exporter could listen."""
    if host.policy.metrics == "off":
        return ok("off: no exporter, no status")
    if host.policy.metrics == AUTO:
        return _check_auto(host)
    address = parse_address(host.policy.metrics)
    if address.path:
        return _check_metrics_path(Path(address.path))
    taken = _why_not_bound(address)
    if taken:
        return _check_taken(address, taken, host)
    guarded = host.policy.metrics_bearer_token_file
    if not is_private(address) and not guarded:
        return warn(f"{address} is free, but open to the network", "metrics_bearer_token_file, or 127.0.0.1")
    return ok(f"{address} is free")


def _check_auto(host: Host) -> Finding:
    """Where this server has its metrics, if it runs; else where it would have them, and who has the first port."""
    found = running(os.environ)
    for one in found:
        if any(same_address(mine, theirs) for mine in host.setting("bind", ()) for theirs in one.bind):
            return ok(f"{one.metrics or 'no address yet'}: the exporter of this server (arbiter {one.pid}), which runs")
    free = next((port for port in AUTO_PORTS if _why_not_bound(Address(AUTO_HOST, port)) is None), None)
    place = f"{AUTO_HOST}:{free}" if free else "a socket in its runtime folder"
    if free == AUTO_PORTS[0]:
        return ok(f"{place} is free")
    holders = [one for one in found if one.metrics == f"http://{first_choice(AUTO)}/metrics"]
    who = f"arbiter {holders[0].pid or '?'}, {', '.join(holders[0].bind)}" if holders else "another program"
    return ok(f"{first_choice(AUTO)} is held by {who}; this site would take {place}")


def _check_metrics_path(path: Path) -> Finding:
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        return warn(f"unix:{path}: {path.parent} cannot be written by this user", "create it for Gunicorn's user")
    return ok(f"unix:{path} can be made")


def _why_not_bound(address: Address) -> OSError | None:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.socket(family) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((address.host, address.port))
            trial.listen(1)
    except OSError as error:
        return error
    return None


def _taken_by_a_site(address: Address, place: Place, host: Host) -> Finding:
    """A server of ours has it: the one of these settings, running, or another site of the host."""
    pid, bind = _holder(place)
    if bind and bind == host.setting("bind", None):
        return ok(f"{address}: the exporter of this server (arbiter {pid}) answers there already")
    if not bind:
        return ok(f"{address}: an exporter of gunicorn-autotune answers there already, and does not tell whose it is")
    who = f"arbiter {pid}, {', '.join(bind)}"
    return warn(f"{address} is held by {who}: this site would have no metrics", "metrics = 'auto', or another address")


def _holder(place: Place) -> tuple[int, list[str]]:
    """Pid and addresses of the server that answers; no address where it does not tell, for want of a token perhaps."""
    try:
        document = json.loads(get(place, "/status.json")[1])
        return int(document["server"]["pid"]), [str(one) for one in document["gunicorn"]["settings"]["bind"]]
    except (CommandError, ValueError, KeyError, TypeError):
        return 0, []


def _check_taken(address: Address, error: OSError, host: Host) -> Finding:
    try:
        place = Place(Address(address.host or "127.0.0.1", address.port))
        if get(place, "/")[1].startswith("gunicorn-autotune exporter"):
            return _taken_by_a_site(address, place, host)
    except CommandError:
        pass
    return warn(
        f"{address} cannot be had ({error.strerror}): the exporter would wait for it",
        "metrics = 'auto', or another address, or stop what listens there",
    )


def check_tcp_backlog(host: Host) -> Finding | None:
    """One connection waits at a listener of ours: does the kernel say 1?"""
    try:
        with socket.create_server(("127.0.0.1", 0), backlog=8) as server:
            return _queue_seen(server, host, socket.AF_INET, "TCP_INFO")
    except OSError as error:
        return fail(f"no loopback socket: {error.strerror}", "Gunicorn cannot bind either; look at the sandbox")


def check_unix_backlog(host: Host) -> Finding | None:
    """The same for a UNIX socket, whose queue only netlink tells."""
    try:
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
            server.bind(f"{folder}/s")
            server.listen(8)
            return _queue_seen(server, host, socket.AF_UNIX, "netlink sock_diag")
    except OSError as error:
        return warn(f"no UNIX socket: {error.strerror}", "bind to HOST:PORT, or allow AF_UNIX")


def _queue_seen(server: socket.socket, host: Host, family: socket.AddressFamily, source: str) -> Finding:
    with socket.socket(family) as client:
        client.settimeout(ARRIVAL_SECONDS)
        client.connect(server.getsockname())
        until = time.monotonic() + ARRIVAL_SECONDS
        backlog = listeners.read_listener(server, "trial", 8, host.proc).backlog
        while backlog == 0 and time.monotonic() < until:
            time.sleep(0.01)
            backlog = listeners.read_listener(server, "trial", 8, host.proc).backlog
    if isinstance(backlog, Missing):
        cure = (
            "AF_NETLINK in RestrictAddressFamilies= of the unit" if family == socket.AF_UNIX else "bind a UNIX socket"
        )
        advice = f"{BLIND}; {cure}"
        return warn(backlog.why, advice)
    if backlog != 1:
        return warn(f"{source} says {backlog} where 1 connection waits", f"{BLIND}; this kernel does not tell")
    return ok(f"{source} tells how many connections wait")


def check_process(host: Host) -> Finding | None:
    """CPU and memory of a process, read from our own."""
    reading = _own_process(host)
    if isinstance(reading, Missing):
        return warn(reading.why, "workers go unmeasured; mount /proc without hidepid")
    if isinstance(reading.cpu_seconds, Missing) or isinstance(reading.rss_bytes, Missing):
        unread = reading.cpu_seconds if isinstance(reading.cpu_seconds, Missing) else reading.rss_bytes
        return warn(str(getattr(unread, "why", "")), "workers go unmeasured; mount /proc without hidepid")
    return ok(f"CPU time and memory of a process can be read (ours: {bytes_text(reading.rss_bytes)})")


def check_schedstat(host: Host) -> Finding | None:
    """Time spent waiting for a core: what tells a saturated CPU from load."""
    reading = _own_process(host)
    delay = reading if isinstance(reading, Missing) else reading.run_delay_seconds
    if isinstance(delay, Missing):
        return warn(delay.why, "set max_workers: without this a full CPU looks like load (CONFIG_SCHED_INFO)")
    return ok("time spent waiting for a core can be read")


def _own_process(host: Host) -> Reading[ProcessReading]:
    probe = process.open_process(os.getpid(), host.proc)
    if isinstance(probe, Missing):
        return probe
    try:
        return probe.read()
    finally:
        probe.close()


def _workers_out_of_reach(host: Host) -> bool:
    """Gunicorn's `user` is another one than ours, and we may not look at the processes of others."""
    other = host.probe.settings.get("uid", os.geteuid()) != os.geteuid()
    return other and not process.may_trace(host.proc)


def check_smaps_rollup(host: Host) -> Finding | None:
    """Memory without the shared pages."""
    reading = memory.read_memory(os.getpid(), host.proc)
    if not isinstance(reading, Missing) and _workers_out_of_reach(host):
        if os.geteuid():
            return warn("memory of workers: not known, they will run as another user", "run doctor as root")
        return warn(f"{memory.NO_PTRACE}: memory of workers will not be read", PTRACE)
    if isinstance(reading, Missing):
        return warn(reading.why, "sizes go by RSS, which counts shared pages in every worker: a lower memory cap")
    return ok("memory without shared pages (USS, PSS) can be read")


def check_pressure(host: Host) -> Finding | None:
    """PSI of cpu, memory and io."""
    found, unread = [], []
    for name in ("cpu", "memory", "io"):
        reading = getattr(host.reading, f"{name}_pressure")
        if isinstance(reading, Missing):
            unread.append(f"{name}: {reading.why}")
        else:
            found.append(f"{name} {reading.some_avg10_share:.0%}")
    if unread:
        return warn("; ".join(unread), "only shown, never acted on; psi=1 on the kernel's command line")
    return ok(f"{', '.join(found)} stalled in the last 10 s")


def check_throttling(host: Host) -> Finding | None:
    """Whether time lost to a CPU quota can be told; of no interest without a quota."""
    if isinstance(host.reading.cpu_quota_cores, Unlimited):
        return None
    throttled = host.reading.cpu_throttled_seconds
    if isinstance(throttled, Missing):
        return warn(throttled.why, "a quota that neighbours use up goes unseen; mount /sys/fs/cgroup")
    return ok(f"{figure(throttled)} s lost to the CPU quota since this cgroup was made")


def check_oom_kills(host: Host) -> Finding | None:
    """Processes of this cgroup that the kernel killed for memory."""
    kills = host.reading.oom_kills
    if isinstance(kills, Missing):
        return warn(kills.why, "nothing; an OOM kill is then shown as `signal`")
    if kills:
        return warn(f"{kills} in this cgroup since it was made", "raise the memory limit or lower max_workers")
    return ok("none in this cgroup")


CHECKS: dict[str, Check] = {
    "metrics": check_metrics,
    "tcp_backlog": check_tcp_backlog,
    "unix_backlog": check_unix_backlog,
    "process": check_process,
    "schedstat": check_schedstat,
    "smaps_rollup": check_smaps_rollup,
    "pressure": check_pressure,
    "throttling": check_throttling,
    "oom_kills": check_oom_kills,
}
