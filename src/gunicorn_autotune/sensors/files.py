"""A small kernel file as text, and the numbers in it; whatever cannot be had is a Missing that names the file."""

from __future__ import annotations

import os
from dataclasses import dataclass

from gunicorn_autotune.model.readings import UNLIMITED, Limit, Missing, Reading

LONGEST_COUNT = 20
"""Digits of 2^64 - 1; longer strings are not kernel counters, and int() on huge ones is slow."""

LARGEST_FILE_BYTES = 4 << 20
"""Stop there: no file of ours is as long, and a tick must not grow with what it reads."""


@dataclass(frozen=True, slots=True)
class Absent(Missing):
    """The file is not there at all. In a cgroup this means "no such limit here"; elsewhere it is just Missing."""


def read_text(path: str) -> str | Missing:
    """The whole file; `Absent` when it or its process is not there, `Missing` when empty or refused (EACCES...)."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError) as error:
        return Absent(f"{path}: {error.strerror}")
    except OSError as error:
        return Missing(f"{path}: {error.strerror}")
    try:
        content = _read_to_end(descriptor)
    except ProcessLookupError as error:
        return Absent(f"{path}: {error.strerror}")
    except OSError as error:
        return Missing(f"{path}: {error.strerror}")
    finally:
        os.close(descriptor)
    return os.fsdecode(content) if content else Missing(f"{path}: empty")


def _read_to_end(descriptor: int) -> bytes:
    content = os.read(descriptor, 65536)
    more = content
    # /proc hands out about a page a read however large the buffer: only an empty read is the end.
    while more and len(content) < LARGEST_FILE_BYTES:
        more = os.read(descriptor, 65536)
        content += more
    return content


def parse_count(word: str) -> int | None:
    """A non-negative decimal as the kernel prints it; None for what int() is too kind to (`1_0`, `+1`, `²`)."""
    return int(word) if len(word) <= LONGEST_COUNT and word.isascii() and word.isdigit() else None


def parse_keyed_count(text: str, key: str) -> int | None:
    """The number after `key` in a flat keyed file (memory.stat, cpu.stat, memory.events): one `key number` a line."""
    if text.startswith(f"{key} "):
        start = 0
    else:
        start = text.find(f"\n{key} ") + 1
        if start == 0:
            return None
    end = text.find("\n", start)
    return parse_count(text[start + len(key) + 1 : end if end >= 0 else None].strip())


def parse_max(text: str) -> Limit[int] | None:
    """`max` is Unlimited, a number is itself, None is garbage: cgroup v2 memory.max and v1/v2 pids.max."""
    word = text.strip()
    return UNLIMITED if word == "max" else parse_count(word)


def parse_cpu_list(text: str) -> int | None:
    """How many CPUs a list such as `0-3,8` names (cpuset.cpus.effective, /sys/devices/system/cpu/online)."""
    total = 0
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        low, high = parse_count(first), parse_count(last or first)
        if low is None or high is None or high < low:
            return None
        total += high - low + 1
    return total


def read_count(path: str) -> Reading[int]:
    """One non-negative number that is the whole file."""
    text = read_text(path)
    if isinstance(text, Missing):
        return text
    count = parse_count(text.strip())
    return garbage(path, text) if count is None else count


def read_keyed_count(path: str, key: str) -> Reading[int]:
    """The number after `key`; Missing when the file has no such line."""
    text = read_text(path)
    if isinstance(text, Missing):
        return text
    count = parse_keyed_count(text, key)
    return Missing(f"{path}: no count {key!r}") if count is None else count


def garbage(path: str, text: str) -> Missing:
    """The file is there, but it does not say what its kind of file says."""
    return Missing(f"{path}: not understood: {text[:40]!r}")
