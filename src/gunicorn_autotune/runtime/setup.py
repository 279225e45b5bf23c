"""The first moment: what has to exist before the first fork."""

from __future__ import annotations

import os
import platform
import time
from typing import Any

import gunicorn_autotune
from gunicorn_autotune.model.policy import MOST_WORKERS, Policy, for_host, with_automatic_max
from gunicorn_autotune.model.status import Identity, Mode, Tally
from gunicorn_autotune.runtime import compat, flight, in_force
from gunicorn_autotune.runtime.doors import Doors
from gunicorn_autotune.runtime.exporter_process import ExporterProcess
from gunicorn_autotune.runtime.log import line
from gunicorn_autotune.runtime.state import Autotune
from gunicorn_autotune.runtime.surroundings import HAS_PROC
from gunicorn_autotune.scoreboard import board, layout
from gunicorn_autotune.sensors import cgroup

HEALTHY_SECONDS = 30.0


def new_autotune(server: Any, policy: Policy) -> Autotune:
    """Board, identity and exporter of one arbiter; nothing runs yet."""
    # For the most workers that any reload may allow. What no worker has touched takes no memory.
    scoreboard = board.create(layout.shape_for(MOST_WORKERS))
    if not HAS_PROC:
        server.log.warning(line("observe only: no /proc on this host, so nothing tells its limits or pressure"))
    tally = Tally()
    tune = Autotune(
        policy=policy,
        mode=Mode(policy.mode) if HAS_PROC else Mode.OBSERVE,
        board=scoreboard,
        identity=identity_of(server),
        doors=Doors(server.log, tally.door_errors),
        tally=tally,
        threads=compat.requests_at_once(server),
        records=compat.kind_of(server.worker_class) != compat.UNKNOWN,
        gunicorn=in_force.published(server),
    )
    tune.exporter = new_exporter(server, policy, scoreboard)
    tune.flight = flight.writer_for(server, tune)
    return tune


def new_exporter(server: Any, policy: Policy, scoreboard: board.Board) -> ExporterProcess:
    """The exporter to be; its lines come out in Gunicorn's error log."""
    user = (int(server.cfg.uid), int(server.cfg.gid))
    # A reload holds the loop for up to graceful_timeout; that is no illness.
    healthy_seconds = HEALTHY_SECONDS + float(server.cfg.graceful_timeout)
    return ExporterProcess(policy, scoreboard, user, healthy_seconds, lambda text: server.log.info(line(text)))


def resolved_max(policy: Policy, *, sized: bool = False) -> int:
    """max_workers, or what the host suggests when it is left at 0; a host that cannot be read counts as one core."""
    if policy.max_workers:
        return policy.max_workers
    try:
        return for_host(policy, cgroup.read_host(cgroup.find_cgroup()), sized=sized).max_workers
    except Exception:
        # The first tick meets the same fault, counts it and logs it.
        return with_automatic_max(policy, policy.cpu_limit_cores or 1.0, policy.memory_limit_bytes or None).max_workers


def identity_of(server: Any) -> Identity:
    """Who publishes."""
    from gunicorn import __version__

    return Identity(
        gunicorn=__version__,
        autotune=gunicorn_autotune.__version__,
        python=platform.python_version(),
        worker_class=str(server.cfg.worker_class_str),
        pid=os.getpid(),
        started_unix_seconds=time.time(),
        name=str(server.cfg.proc_name),
    )
