"""What one arbiter's autotune remembers between ticks. Data only; the rooms beside it act on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import random
from typing import Any

from gunicorn_autotune.model.decisions import Decision
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.readings import HostReading, MemoryReading, Missing, ProcessReading, Reading
from gunicorn_autotune.model.snapshot import Snapshot
from gunicorn_autotune.model.status import ExitReason, Identity, Mode, Tally
from gunicorn_autotune.runtime.command_socket import CommandSocket
from gunicorn_autotune.runtime.doors import Doors
from gunicorn_autotune.runtime.exporter_process import ExporterProcess
from gunicorn_autotune.runtime.flight import FlightWriter
from gunicorn_autotune.scoreboard.belief import Believed
from gunicorn_autotune.scoreboard.board import Board


@dataclass(slots=True)
class Tracked:
    """One worker as the arbiter follows it, from before its fork until after its reap."""

    worker: Any
    """Gunicorn's worker object."""
    age: int
    """Its age at birth; `worker.age` itself is lowered when it becomes a victim."""
    slot: int | None
    row: memoryview | None
    spawned_at: float
    """Monotonic seconds."""
    requests_before: int = 0
    """Requests of the slot's earlier processes."""
    probe: Any = None
    """Open process files (sensors.process), from the first tick after the fork."""
    process: Reading[ProcessReading] = Missing("not read yet")
    cpu_ns_before: int = 0
    """CPU of the slot's earlier processes."""
    cpu_seconds: float = 0.0
    """CPU of this process, as last read."""
    run_delay_seconds: float = 0.0
    was_ready: bool = False
    memory: Reading[MemoryReading] = Missing("not read yet")
    draining: bool = False
    draining_at: float = 0.0
    hold_seconds: float = 0.0
    """How long the connections it holds may keep it from leaving; 0: not longer than Gunicorn lets them."""
    told_to_quit: bool = False
    """It may hold nothing any more."""
    held_from: float | None = None
    """Monotonic seconds since when it has held one; None while it holds none."""
    terminated_at: float = 0.0
    asked: bool = False
    """An operator asked to recycle it."""
    exit_reason: ExitReason | None = None
    """Why we or Gunicorn asked it to leave, or are about to; None while nobody is."""
    sent: set[int] = field(default_factory=set)
    """Signals that the arbiter sent it to make it leave."""
    returncode: int | None = None
    """How it ended: exit code, or minus the signal. None while it runs, and where nobody saw it."""
    source_changed: bool = False
    """In the worker: its reloader has seen changed code."""
    requests_limit: int | None = None
    """Its max_requests, where we keep it instead of Gunicorn."""
    draw: float = field(default_factory=random)
    """Spreads its limits; see WorkerReading."""
    outdated: bool = False
    """A reload that did not fit left it running; to be recycled."""


@dataclass(slots=True)
class Sums:
    """Cumulative figures that processes take with them when they die, kept here instead."""

    cpu_seconds: float = 0.0
    run_delay_seconds: float = 0.0
    boot_cpu_seconds: float = 0.0
    boots: int = 0
    busy_ns: list[int] = field(default_factory=list)
    """Per slot: the largest integral seen (a row read between two stores shows a little less)."""
    silent_ns: int = 0
    """Slots taken by connections without a request, up to `silent_until_ns`."""
    silent_until_ns: int = 0


@dataclass(slots=True)
class ShortLives:
    """Workers that crashed before they answered a request, or were killed for memory (runtime/boots.py)."""

    in_a_row: int = 0
    last_at: float = 0.0
    pauses: int = 0
    no_start_before: float = 0.0
    oom_pauses: int = 0
    oom_killed_at: float = 0.0


@dataclass(slots=True)
class Autotune:
    """Everything of ours in one arbiter process."""

    policy: Policy
    mode: Mode
    board: Board
    identity: Identity
    doors: Doors
    threads: int
    records: bool
    """Whether the worker class reports its requests."""
    believed: Believed = field(default_factory=Believed)
    """The rows, as far as they can be true."""
    cgroups: Any = None
    tracked: dict[int, Tracked] = field(default_factory=dict)
    """By age at birth, which no two workers share. Changed in place only: old Gunicorns reap in a signal handler."""
    free_slots: list[int] = field(default_factory=list)
    """Slots that workers have left; those from `slots_used` on never had one."""
    slots_used: int = 0
    sums: Sums = field(default_factory=Sums)
    tally: Tally = field(default_factory=Tally)
    history: Any = None
    decision: Decision | None = None
    recent: list[dict[str, Any]] = field(default_factory=list)
    exporter: ExporterProcess | None = None
    flight: FlightWriter | None = None
    gunicorn: dict[str, Any] = field(default_factory=dict)
    """`gunicorn` of the status document (in_force.published): its settings since the last load."""
    commands: CommandSocket = field(default_factory=CommandSocket)
    frozen: str | None = None
    held_until: float | None = None
    boot_backoff_until: float | None = None
    boot_failures_in_row: int = 0
    short_lives: ShortLives = field(default_factory=ShortLives)
    hold_seconds: float = 0.0
    """For those who leave to reach the present target of ours: recycle_hold_seconds, or 0 where nobody can wait."""
    acting: bool = False
    """While we set num_workers ourselves, so that nworkers_changed is not taken for an operator."""
    operators_count: bool = False
    """Whether an operator was the last to set the count."""
    old_set_age: int = 0
    """The youngest worker that was there when an operator began to raise the count; see choose_for_operator."""
    murdered_at: float = 0.0
    ticked_at: float = 0.0
    published_at: float = 0.0
    looked_at: float = 0.0
    last_state: Any = None
    process_turn: int = 0
    memory_turn: int = 0
    memory_not_before: float = 0.0
    host: HostReading | None = None
    host_read_at: float = 0.0
    host_read_for: tuple[int, int] = (0, 0)
    """Spawns and boots at that moment."""
    faults_in_row: int = 0
    faults_logged: set[str] = field(default_factory=set)
    unread: dict[str, str] = field(default_factory=dict)
    """Why figures of workers cannot be read, by field of WorkerReading."""
    unread_since: dict[str, float] = field(default_factory=dict)
    unread_told: set[str] = field(default_factory=set)
    limits_seen: dict[str, Any] = field(default_factory=dict)
    oom_kills_settled: int | None = None
    """oom_kill events of the cgroup that were already there, already blamed for a death, or a neighbour's."""
    oom_kills_open_since: float | None = None
    """When a tick first saw more of them than that."""
    target_before_reload: int = 0
    address_before_reload: Any = None
    after_reload: dict[str, Any] = field(default_factory=dict)
    """Gunicorn settings to put back when the reload under way is over."""
    snapshot: Snapshot | None = None
    """The last one decided on."""
    refused: dict[str, str] = field(default_factory=dict)
    """Settings that are not obeyed, and why."""
    written_workers: int | None = None
    """Gunicorn's `workers` at the last load, if somebody wrote it."""
    differences: tuple[str, ...] = ()
    """How what runs differs from what was written, one sentence each."""
    said: tuple[Any, ...] = ()
    """The last change that would have been made; said once in observe mode."""
