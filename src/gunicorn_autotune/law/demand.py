"""How many workers the load needs, before any limit."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise

from gunicorn_autotune.law.cores import cores_full
from gunicorn_autotune.law.judge import pays
from gunicorn_autotune.law.pressure import queue_p95
from gunicorn_autotune.law.service import Service, beside, saturated_seconds
from gunicorn_autotune.law.spans import Span, back
from gunicorn_autotune.law.staffing import processes_for_cpu, staff, workers_for
from gunicorn_autotune.law.view import View
from gunicorn_autotune.model.decisions import Reason
from gunicorn_autotune.model.history import History, Mark
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.readings import Missing, Reading
from gunicorn_autotune.model.snapshot import QUEUE_TIME_BOUNDS_SECONDS

_DRAIN_SECONDS = 0.5
_DRAIN_BOOTS = 3.0
"""A queue should be gone in this time: workers that take long to boot should also be of use for long."""
_PROBE_SECONDS = 5.0
_MISSES_SECONDS, _MISSES_REQUESTS = 10.0, 50
_STEP_SECONDS = 1.0
_VERDICT_SECONDS = 4.0
"""A step is judged within this time or three service times, if it can be judged at all."""
_LONGEST_VERDICT_SECONDS = 30.0
_TOLERANCE = 1.25
"""Service times this much above the learned one count as grown (Envoy's buffer)."""
_UNREPORTED = Missing("this worker class does not report its requests")


@dataclass(frozen=True, slots=True)
class Need:
    """What the load asks for, in workers."""

    want: int
    """To have now, work waiting included."""
    keep: int
    """To keep once the queue is gone; only this is remembered."""
    demand: Reading[float]
    stepped: bool = False
    """`want` goes beyond the trusted model; the next such step waits until this one is seen to pay."""
    reason: Reason = Reason.DEMAND
    """Why `want`, where there is no pressure."""


def load_of(span: Span, pressed: bool, running: bool, service: Service | None) -> float:
    """Offered load of one interval, in busy slots; `running` until a run of pressure has been over for 3 s.

    Calm: B, all that is busy. Under pressure B is cut off at the slots there are, so arrivals x service time counts
    where it is higher; while a queue drains B is too high, so the lower counts.
    """
    if span.useful is None or service is None:
        return span.busy or 0.0
    offered = span.arrived * service.seconds / span.seconds
    if running and span.drained > 0.0:
        return min(span.useful, offered)
    return max(span.useful, offered) if pressed else span.busy or 0.0


def calm_need(policy: Policy, history: History, view: View) -> Need:
    """Without pressure: the 30 s mean of the load, or the 3 s mean where that is higher than chance explains.

    Just after pressure not less than arrivals x service time, which saw the step before the means do.
    """
    service = view.service or Service(policy.queue_time_goal_seconds)
    fast, slow = view.fast.load, view.slow.load
    noise = 2.0 * math.sqrt(slow * min(1.0, 2.0 * service.seconds / 3.0))
    load = fast if fast > slow + noise else slow
    if service.seconds > 1.0:
        load = max(fast, slow)
    if history.pressed_from is not None and view.service is not None:
        load = max(load, view.arrivals_per_second * service.seconds)
    workers = _staffed(policy, view, load, service)
    if _misses_goal(policy, history, view):
        return _more(view, workers, Reason.QUEUE_TIME)
    return Need(want=workers, keep=workers, demand=float(workers))


def pressed_need(policy: Policy, history: History, view: View) -> Need:
    """Under pressure: arrivals x trusted service time, plus what is waiting, at most double.

    A service time that grew is believed in steps of x1.5 + 1 workers a second; so is an unknown one.
    """
    if view.service is None:
        return _unknown_service_need(policy, history, view)
    service = beside(history.learned, view.service, view.run[0])
    cautious = Service(service.seconds, max(1.0, service.variability))
    load = view.arrivals_per_second * service.seconds
    if not view.crew.waiting:
        # Nothing waits, so what is in service is not a drain: long requests arrive too rarely for a rate.
        load = max(load, view.fast.load)
    smooth = max(load - (view.arrivals_per_second - view.arrivals_mean_per_second) * service.seconds, 0.0)
    keep = _staffed(policy, view, smooth, service)
    want = _staffed(policy, view, load + _drain(view, load, service.seconds), cautious)
    need = Need(want, keep, float(_staffed(policy, view, load, service)))
    seconds = saturated_seconds(view.run) or 0.0
    if seconds > _TOLERANCE * service.seconds:
        return _grown(policy, history, view, need, seconds)
    return _more(view, keep, Reason.PROBE) if _unexplained(policy, history, view, need) else need


def _misses_goal(policy: Policy, history: History, view: View) -> bool:
    """Calm, and yet p95 of queue time misses the goal over 10 s: bursts that are over before the next look.

    Averages cannot see them (knative#15000), and the maximum of short buckets sees too much (knative#2016).
    """
    at = view.mark.at
    if at - history.calm_from < _MISSES_SECONDS or not _may_go_beyond(policy, history, view, _MISSES_SECONDS):
        return False
    before = back(history.marks, at - _MISSES_SECONDS)
    if view.mark.started - before.started < _MISSES_REQUESTS:
        return False
    late = queue_p95(before, view.mark)
    return late is not None and late > policy.queue_time_goal_seconds and _possible(policy, history, view, before, late)


def _possible(policy: Policy, history: History, view: View, before: Mark, late_seconds: float) -> bool:
    """Whether the workers were busy enough for anybody to have waited for one.

    A request that waits w finds every slot busy for w: busy >= slots * w / 2 in each interval with late starts. A clock
    that is wrong at the proxy, or slow uploads, show waits that no worker can cure.
    """
    late_from = bisect_left(QUEUE_TIME_BOUNDS_SECONDS, policy.queue_time_goal_seconds) + 1
    marks = [mark for mark in history.marks if mark.at >= before.at]
    lates = [sum(mark.queue_time_counts[late_from:]) for mark in marks]
    intervals = sum(1 for older, newer in pairwise(lates) if newer > older)
    seconds = intervals * min(late_seconds, view.newest.seconds)
    busy = (view.mark.busy_seconds or 0.0) - (before.busy_seconds or 0.0)
    return busy >= view.crew.slots * seconds / 2.0


def _unexplained(policy: Policy, history: History, view: View, need: Need) -> bool:
    """Five seconds of pressure, the queue does not shrink, and by the figures there are workers enough: they err."""
    onset = history.pressed_from
    if onset is None or view.mark.at - onset.at < _PROBE_SECONDS or view.crew.booting:
        return False
    if need.want > view.snapshot.target or view.fast.drained > 0.0:
        return False
    return _may_go_beyond(policy, history, view, _PROBE_SECONDS)


def _may_go_beyond(policy: Policy, history: History, view: View, every_seconds: float) -> bool:
    """The last step is over, its workers have traffic, and neither cores nor a ceiling say that more would not help."""
    rested = history.stepped_at is None or view.mark.at - history.stepped_at >= every_seconds
    free = history.ceiling is None and not cores_full(policy, view)
    return rested and free and view.crew.used == view.crew.ready


def _more(view: View, workers: int, reason: Reason) -> Need:
    """A quarter more than there are, to keep."""
    more = max(workers, view.snapshot.target + max(1, view.snapshot.target // 4))
    return Need(more, more, float(workers), stepped=more > workers, reason=reason)


def _grown(policy: Policy, history: History, view: View, need: Need, seconds: float) -> Need:
    """`need` where requests have come to take `seconds`: a step towards what that would need."""
    grown = Service(seconds)
    load = view.arrivals_per_second * seconds
    believed = _staffed(policy, view, load + _drain(view, load, seconds), grown)
    step = min(believed, _step(policy, history, view))
    demand = float(max(need.keep, _staffed(policy, view, load, grown)))
    return Need(max(need.want, step), need.keep, demand, stepped=step > need.want)


def kernel_need(policy: Policy, history: History, view: View) -> Need:
    """For worker classes that report no requests: steps while a backlog stands, and a floor from the CPU in use."""
    floor = processes_for_cpu(_cpu_cores(view))
    if view.pressed is None:
        return Need(floor, floor, _UNREPORTED)
    step = _step(policy, history, view)
    return Need(max(floor, step), max(floor, view.snapshot.target), _UNREPORTED, stepped=step > floor)


def _unknown_service_need(policy: Policy, history: History, view: View) -> Need:
    return Need(
        _step(policy, history, view), view.snapshot.target, Missing("no request has finished yet"), stepped=True
    )


def _drain(view: View, load: float, service_seconds: float) -> float:
    """Extra slots that serve what waits within 0.5 s and three boots; at most as many as the load itself."""
    waiting = view.crew.waiting or 0.0
    return min(load, waiting * service_seconds / (_DRAIN_SECONDS + _DRAIN_BOOTS * view.crew.boot_seconds))


def _staffed(policy: Policy, view: View, load: float, service: Service) -> int:
    slots = staff(
        min(load, 1e9),
        service.seconds,
        policy.queue_time_goal_seconds,
        policy.queue_time_miss_share,
        service.variability,
    )
    return workers_for(slots, view.snapshot.threads, _cpu_cores(view))


def _cpu_cores(view: View) -> float:
    return min(max(view.fast.cpu or 0.0, view.slow.cpu or 0.0), 1e9)


def _step(policy: Policy, history: History, view: View) -> int:
    """x1.5 + 1 of the workers that are up, so slow boots slow it down by themselves.

    0, so no step, within a second of the last one, within four unless that one is seen to pay, and while the cores
    are full: then it is they that are slow.
    """
    if not _rested(history, view) or cores_full(policy, view):
        return 0
    return math.ceil(1.5 * view.crew.ready) + 1


def _rested(history: History, view: View) -> bool:
    if history.stepped_at is None:
        return True
    since = view.mark.at - history.stepped_at
    if view.newest.busy is None:
        return since >= _STEP_SECONDS
    verdict_seconds = min(_LONGEST_VERDICT_SECONDS, 3.0 * (saturated_seconds(view.run) or 0.0))
    return since >= _STEP_SECONDS and (pays(history) is True or since >= max(_VERDICT_SECONDS, verdict_seconds))
