"""The app's own prometheus_client metrics (PROMETHEUS_MULTIPROC_DIR), kept small and merged into our scrape.

Named by slot instead of pid, a recycled worker goes on with its predecessor's files: after 1,000 recycles 16 files
and 8.5 ms a scrape instead of 2,000 files and 0.9 s, with the same totals. Rules the caller keeps: two processes that
live at the same time never share an identifier, a slot is given out only after its old process was reaped, and the
masters of a USR2 upgrade differ in it.

Importing this module does not import prometheus_client; calling it does, and only where the directory is set.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable, Iterable
from functools import cache, partial
from importlib import import_module
from typing import Any

from gunicorn_autotune.exporter import children, metric_files
from gunicorn_autotune.exporter.metrics import TABLE

RESERVED = frozenset(name for metric in TABLE for name in (metric.family, metric.name))
HEADER_BYTES = 8
OLD_VARIABLE = "prometheus_multiproc_dir"
"""Deprecated by the client, still obeyed."""
VARIABLES = ("PROMETHEUS_MULTIPROC_DIR", OLD_VARIABLE)


def configured() -> str:
    """The directory the app's metrics are written to; empty when the user set none."""
    return os.environ.get("PROMETHEUS_MULTIPROC_DIR") or os.environ.get(OLD_VARIABLE) or ""


def install_slot_identifier(get_slot: Callable[[], str], enabled: bool = True) -> bool:
    """Have metrics created from now on write to files named by `get_slot()`. False when nothing was installed.

    Call it before the app is imported. `get_slot` is asked at every operation, so it must be quick, and it must not
    answer with an underscore: the client splits file names on it.
    """
    if not enabled or not configured():
        return False
    if "_" in get_slot():
        raise ValueError(f"slot identifier {get_slot()!r}: must not contain an underscore")
    values: Any = import_module("prometheus_client.values")
    # Every metric looks the class up as values.ValueClass when it is created (0.20 to 0.26): nothing else to patch.
    values.ValueClass = values.MultiProcessValue(process_identifier=get_slot)
    return True


def fault(path: str) -> str | None:
    """What is wrong with a metric file at first sight, None for nothing.

    A worker killed between creating and sizing its file leaves it empty, and the client then fails every later scrape
    (client_python #1199). Such a file is left out, not deleted: its worker may be alive and about to size it, and the
    next worker of the slot mends it by opening it.
    """
    try:
        # Not blocking: opening a pipe would wait for somebody to write into it.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            info = os.fstat(file.fileno())
            if not stat.S_ISREG(info.st_mode):
                return "not a regular file"
            head, size = file.read(HEADER_BYTES), info.st_size
    except FileNotFoundError:
        return "gone"
    except OSError as error:
        return str(error)
    if len(head) < HEADER_BYTES:
        return f"only {len(head)} bytes"
    used = struct.unpack_from("i", head)[0]
    return f"says {used} bytes, has {size}" if not 0 <= used <= size else None


def _files(directory: str) -> list[str]:
    """Metric files of the folder, without the live gauges of forked processes that have ended."""
    holders = cache(partial(children.holders, directory))
    found = []
    try:
        names = sorted(os.listdir(directory))  # noqa: PTH208 (ten thousand Path objects cost as much as the merge)
    except FileNotFoundError:
        return []
    for name in names:
        whose = metric_files.identifier(name)
        if whose is None:
            continue
        match = metric_files.OUR_IDENTIFIER.fullmatch(whose) if metric_files.is_live_gauge(name) else None
        if match and match.group(2) and int(match.group(2)) not in holders(int(match.group(1))):
            continue
        found.append(os.path.join(directory, name))  # noqa: PTH118
    return found


def merge(directory: str, tell_once: Callable[[str], None]) -> list[Any]:
    """The metric families of all files of `directory`; a file that cannot be read is told and left out."""
    collector: Any = import_module("prometheus_client.multiprocess").MultiProcessCollector
    good = []
    for path in _files(directory):
        wrong = fault(path)
        if wrong is None:
            good.append(path)
        elif wrong != "gone":
            tell_once(f"exporter: multiprocess file left out path={path} error={wrong}")
    try:
        return list(collector.merge(good))
    except Exception:
        return list(collector.merge(_readable(collector, good, tell_once)))


def _readable(collector: Any, paths: Iterable[str], tell_once: Callable[[str], None]) -> list[str]:
    """The files that can be read one by one; costs twice, so only after a merge has failed."""
    good = []
    for path in paths:
        try:
            collector.merge([path])
        except Exception as error:
            tell_once(f"exporter: multiprocess file left out path={path} error={error}")
        else:
            good.append(path)
    return good


class _Families:
    """What the client's encoders take for a registry."""

    def __init__(self, families: list[Any]) -> None:
        self._families = families

    def collect(self) -> list[Any]:
        """The families."""
        return self._families


def exposition(directory: str, openmetrics: bool, tell_once: Callable[[str], None]) -> bytes:
    """The app's metrics as text, without OpenMetrics' end mark; empty when they cannot be had. Never raises.

    A metric of the app that takes one of our names is left out: a name twice would fail the whole scrape.
    """
    module = "prometheus_client.openmetrics.exposition" if openmetrics else "prometheus_client.exposition"
    try:
        families = [family for family in merge(directory, tell_once) if family.name not in RESERVED]
        text: bytes = import_module(module).generate_latest(_Families(families))
        return text.removesuffix(b"# EOF\n")
    except Exception as error:
        tell_once(f"exporter: the app's own metrics are left out error={type(error).__name__}: {error}")
        return b""
