"""What the law remembers between two snapshots. Frozen and small: tuples trimmed by time, differences of counters."""

from __future__ import annotations

from dataclasses import dataclass

from gunicorn_autotune.model.decisions import Bottleneck, Cause


@dataclass(frozen=True, slots=True)
class Mark:
    """The counters of one snapshot; the mean over any window is the difference of two marks. None: was missing."""

    at: float
    waiting: float | None
    """Requests waiting for a slot: in the listeners' backlogs and inside the workers."""
    busy_seconds: float | None
    load_seconds: float
    """Integral of the load: busy slots, but arrivals x service time while a queue builds up or drains."""
    started: int
    finished: int
    service_seconds: float
    service_seconds_squared: float
    cpu_seconds: float | None
    run_delay_seconds: float | None
    queue_time_counts: tuple[int, ...]
    boot_cpu_seconds: float = 0.0
    ready: int = 0
    """Ready workers."""
    oom_kills: int | None = None
    killed: int = 0
    """Workers ended by a signal that nobody here sent."""
    quota_full_seconds: tuple[float, ...] | None = None
    """HostReading.cpu_full_seconds."""
    quota_read_at: float = 0.0
    """When that was read."""


@dataclass(frozen=True, slots=True)
class Learned:
    """Decayed sums over calm intervals only; a service time learned under load would climb for ever."""

    finished: float = 0.0
    useful_seconds: float = 0.0
    """Busy time without the time spent waiting for a core."""
    service_seconds: float = 0.0
    service_seconds_squared: float = 0.0


@dataclass(frozen=True, slots=True)
class Level:
    """A stretch of saturation with one count of ready workers: what that count can do."""

    ready: int
    born_at: float
    first: Mark
    """Where the measurement begins: when the youngest workers had traffic and one service time had passed."""
    last: Mark


@dataclass(frozen=True, slots=True)
class Ceiling:
    """More workers did not raise throughput: how many are allowed until that is tried again."""

    workers: int
    good: int
    """The least count known to reach `best`."""
    best: float
    """Requests per second that must not be lost."""
    verdict: Bottleneck
    until: float
    hold_seconds: float
    set_at: float
    """When `workers` was last changed; only what is measured after that judges it."""
    trimming: bool
    """Whether fewer workers are still being tried."""


@dataclass(frozen=True, slots=True)
class Recycling:
    """Workers are being replaced: their replacements boot first, or they leave first where there is no room."""

    ages: tuple[int, ...]
    """Of the workers that still have to leave."""
    workers: int
    """The target before, and after."""
    since: float
    """When the present step began."""
    cause: Cause = Cause.MEMORY
    surge: bool = True
    """Replacement first; False: drain first."""


@dataclass(frozen=True, slots=True)
class Grown:
    """The private memory of one worker over its life."""

    age: int
    peak_bytes: int
    marks: tuple[tuple[int, int], ...] = ()
    """(requests served, bytes) each time the requests had doubled, oldest first."""


@dataclass(frozen=True, slots=True)
class History:
    """Start one with `law.start(snapshot)`; an empty one is filled from the first snapshot it meets."""

    marks: tuple[Mark, ...] = ()
    """Oldest first, about 30 s."""
    learned: Learned = Learned()
    least_mean_seconds: float | None = None
    """Of the service time, until calm has taught one."""
    needed: tuple[tuple[float, int], ...] = ()
    """(at, workers), workers falling: the maxima of what was needed, so the first is the window's maximum."""
    calm_from: float = 0.0
    """When pressure was last seen, or the start."""
    pressed_from: Mark | None = None
    """The last mark before the present run of pressure; None when calm for a second or more."""
    backlog_from: float | None = None
    """Since when every snapshot has shown a backlog."""
    stepped_at: float | None = None
    """Last growth beyond the trusted model."""
    shrunk_at: float | None = None
    shrunk_from: int = 0
    """The count before the latest descent began; growing back to it soon after is regretted."""
    held_from: float | None = None
    """Since when a shrink has waited for workers that hold long-lived connections."""
    regrets: int = 0
    """How often: each doubles the window within which needs are remembered."""
    levels: tuple[Level, ...] = ()
    """Of the present run of pressure, oldest first."""
    ceiling: Ceiling | None = None
    doubted_at: float | None = None
    """When fewer workers were last tried because saturation made requests slow."""
    recycling: Recycling | None = None
    no_recycle_before: float = 0.0
    """After a replacement that did not become ready."""
    recycled_at: tuple[float, ...] = ()
    """When each of the last workers recycled was told to leave."""
    fresh_bytes: int = 0
    """Private memory of a worker that has just booted; 0: not seen yet."""
    fresh_rss_bytes: int = 0
    sized: bool = False
    """Whether what a worker grows to has been seen: then the memory cap decides, and no guess of a worker's size."""
    grown: tuple[Grown, ...] = ()
    grown_at: float = 0.0
    """When the sizes were last looked at: once a second."""
    leaking: tuple[int, ...] = ()
    """Ages of the workers that take more with every request."""
    peaks: tuple[tuple[float, int], ...] = ()
    """(when it left, peak bytes) of workers that grew to their natural size."""
    short_at: float | None = None
    """When memory in use last reached into the reserve."""
    oom: tuple[float, int] | None = None
    """(until, workers): the cap after the kernel killed for memory."""
    pressure: float | None = None
    """scale_out_pressure before the bottleneck was found downstream."""
