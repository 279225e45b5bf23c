"""Checks of what happens when memory runs out, and of what the unit takes away: the kernel, systemd, swap, folders."""

from __future__ import annotations

import os
from pathlib import Path

from gunicorn_autotune.cli.finding import Check, Finding, Host, ok, warn
from gunicorn_autotune.cli.origins import shown
from gunicorn_autotune.cli.style import bytes_text
from gunicorn_autotune.cli.unit import ask, private_tmp
from gunicorn_autotune.model.readings import Limit, Missing, Reading
from gunicorn_autotune.runtime.command_socket import automatic_folder
from gunicorn_autotune.sensors.files import parse_max, read_count, read_text
from gunicorn_autotune.sensors.walk import limit_in

CONTINUE = "OOMPolicy=continue in the unit"
KUBERNETES = "singleProcessOOMKill: true in the kubelet's configuration (Kubernetes 1.32 and later)"
ENDS = {
    "stop": "one worker killed for memory ends the whole service",
    "kill": "one worker killed for memory has every process of the service killed at once",
}
HARM = "if the app grows past it before autotune can act, the kernel slows every worker down"


def check_oom_group(host: Host) -> Finding | None:
    """Whether the kernel kills a process or all of them; every level that a limit may stand at."""
    levels = host.watched.levels
    if isinstance(levels, Missing):
        return warn(f"not known: {levels.why}", CONTINUE)
    if not levels:
        return None
    answers = {level: read_count(f"{level}/memory.oom.group") for level in _real(levels)}
    together = next((level for level, answer in answers.items() if answer == 1), None)
    if together:
        found = f"1 at {shown(together, host)}: when memory runs out, the kernel kills all its processes at once"
        return warn(found, _cure(host, together))
    unread = [answer.why for answer in answers.values() if isinstance(answer, Missing)]
    if unread or not answers:
        return warn(f"not known: {unread[0] if unread else 'no level is shown'}", "Linux 4.19 or later; " + CONTINUE)
    return ok(f"0 for {_whom(host)}: the kernel kills one process, and Gunicorn replaces a worker")


def _real(levels: tuple[str, ...]) -> tuple[str, ...]:
    """Without the root of the whole tree, which has neither limits nor these files."""
    return levels if os.path.lexists(f"{levels[-1]}/memory.max") else levels[:-1]


def _cure(host: Host, level: str) -> str:
    if "kubepods" in level or "KUBERNETES_SERVICE_HOST" in os.environ:
        return KUBERNETES
    if host.watched.unit and level.endswith(f"/{host.watched.unit}"):
        return CONTINUE
    return f"OOMPolicy=continue where systemd makes it, else echo 0 > {shown(level, host)}/memory.oom.group"


def _whom(host: Host) -> str:
    return f"{host.watched.unit or 'the cgroup'} of {host.watched.who}"


def check_oom_policy(host: Host) -> Finding | None:
    """What systemd does when a worker was killed; nothing to say outside of a service."""
    unit = host.watched.unit
    if not unit:
        return None
    properties = Missing("a recorded host") if host.cgroups.root else ask(unit, user=host.watched.user)
    if isinstance(properties, Missing):
        return warn(f"of {unit} not known: {properties.why}", CONTINUE)
    policy = properties.get("OOMPolicy", "")
    if policy == "continue":
        return ok(f"continue for {_whom(host)}: Gunicorn replaces a worker that was killed for memory")
    return warn(f"{policy or 'not told'} for {unit}: {ENDS.get(policy, 'what it does is not known')}", CONTINUE)


def check_memory_high(host: Host) -> Finding | None:
    """MemoryHigh= of the unit or of a slice above it."""
    levels = host.watched.levels
    if isinstance(levels, Missing):
        return warn(f"not known: {levels.why}", "no MemoryHigh= in the unit")
    if not levels:
        return None
    answers: dict[str, Limit[int]] = {
        level: limit_in(f"{level}/memory.high", parse_max) for level in _real(levels)
    }  # fmt: skip
    found = next(((level, one) for level, one in answers.items() if isinstance(one, int)), None)
    if found:
        level, limit = found
        swap = "" if _swap_bytes(host) else ", sooner without swap"
        text = f"{bytes_text(limit)} at {shown(level, host)}: {HARM}{swap}"
        return warn(text, "MemoryMax= alone; MemoryHigh=infinity")
    unread = [one.why for one in answers.values() if isinstance(one, Missing)]
    if unread or not answers:
        return warn(f"not known: {unread[0] if unread else 'no level is shown'}", "no MemoryHigh= in the unit")
    return ok(f"none for {_whom(host)}")


def _swap_bytes(host: Host) -> Reading[int]:
    """Size of all swap of the machine."""
    text = read_text(f"{host.proc}/swaps")
    if isinstance(text, Missing):
        return text
    try:
        return sum(int(line.split()[2]) * 1024 for line in text.splitlines()[1:])
    except (IndexError, ValueError):
        return Missing(f"{host.proc}/swaps: unexpected content")


def check_swap(host: Host) -> Finding | None:
    """Whether memory that is swapped out may hide from the sizes of workers."""
    if host.watched.levels == ():
        # cgroup v1 does not count it by service, and systemd cannot keep a service out of it there.
        return None
    size, used = _swap_bytes(host), _swapped(host)
    if isinstance(size, Missing):
        return warn(f"not known: {size.why}", "MemorySwapMax=0 in the unit")
    if not size:
        return ok("none: the sizes of workers are whole")
    machine = f"{bytes_text(size)} on this machine"
    hidden = "a worker's size leaves out what is swapped, so the memory cap is too high"
    if isinstance(used, Missing):
        return warn(f"{machine}, how much of it is ours is not known; {hidden}", "MemorySwapMax=0 in the unit")
    if used:
        return warn(f"{machine}, {bytes_text(used)} of it ours; {hidden}", "MemorySwapMax=0 in the unit")
    return ok(f"{machine}, none of it used by {_whom(host)}")


def _swapped(host: Host) -> Reading[int]:
    levels = host.watched.levels
    if isinstance(levels, Missing):
        return levels
    return read_count(f"{levels[0]}/memory.swap.current")


def check_command_socket(host: Host) -> Finding | None:
    """Whether `recycle` could reach a server started here."""
    setting = host.policy.command_socket
    if setting == "off":
        return ok("off: `recycle` is refused")
    try:
        folder = automatic_folder(os.geteuid(), os.environ) if setting == "auto" else Path(setting).parent
    except OSError as error:
        return warn(f"auto: {error.strerror or error}", "RuntimeDirectory=NAME in the unit")
    near = folder if setting != "auto" or folder.is_dir() else folder.parent
    if not near.is_dir():
        return warn(f"{near} does not exist", "create it, or RuntimeDirectory=NAME in the unit")
    if not os.access(near, os.W_OK):
        return warn(
            f"{near} cannot be written by this user", "RuntimeDirectory=NAME in the unit, or set command_socket"
        )
    if private_tmp(host.proc, folder):
        return warn(f"{folder} is hidden from all others by PrivateTmp=", "RuntimeDirectory=NAME in the unit")
    return ok(str(folder / "PID.sock") if setting == "auto" else setting)


def check_reload(host: Host) -> Finding | None:
    """Whether a HUP brings new code."""
    if not host.probe.settings:
        return None
    if host.setting("preload_app", False):
        return ok("preload_app: a reload leaves the code as it is, only a restart brings the new")
    return ok("brings new code and settings; new packages need a restart")


CHECKS: dict[str, Check] = {
    "reload": check_reload,
    "command_socket": check_command_socket,
    "oom_group": check_oom_group,
    "oom_policy": check_oom_policy,
    "memory_high": check_memory_high,
    "swap": check_swap,
}
