"""Did the last growth raise throughput? If not, more workers are the wrong cure: go back, hold off, try again later."""

from __future__ import annotations

from dataclasses import replace

from gunicorn_autotune.law.ceiling import ceiling_of, floor_of, trial, trimmed
from gunicorn_autotune.law.cores import cores_full
from gunicorn_autotune.law.judge import passed, passed_again, pays
from gunicorn_autotune.law.levels import with_level
from gunicorn_autotune.law.service import saturated_seconds, trusted
from gunicorn_autotune.law.view import View
from gunicorn_autotune.model.history import History
from gunicorn_autotune.model.policy import Policy

_LIFTED_AFTER_SECONDS = 15.0
_STUCK_SECONDS, _SLOWER, _DOUBT_SECONDS = 15.0, 2.0, 300.0


def verified(policy: Policy, history: History, view: View) -> History:
    """`history` with this interval measured, and a ceiling set, moved or lifted by what was measured."""
    if view.pressed is None:
        return _calm(history, view)
    seconds = saturated_seconds(view.run) or 0.0
    history = replace(history, levels=with_level(history, view.crew, view.mark, seconds))
    ceiling = history.ceiling
    if ceiling is not None and view.mark.at < ceiling.until:
        return replace(history, ceiling=trimmed(policy, history, ceiling, view))
    if ceiling is not None and view.crew.ready <= ceiling.workers:
        return history
    if ceiling is None and _doubtful(policy, history, view):
        return replace(history, ceiling=trial(policy, history, view), doubted_at=view.mark.at)
    slots_each = view.crew.slots / max(1, view.crew.ready)
    paid = passed(history.levels, slots_each) if ceiling is None else passed_again(history.levels)
    if paid is None:
        return history
    if paid:
        return replace(history, ceiling=None)
    return replace(history, ceiling=ceiling_of(policy, history, view))


def _doubtful(policy: Policy, history: History, view: View) -> bool:
    """Saturated for 15 s at one count, requests take twice what they take in calm, and not for want of cores.

    Then either requests have really become long, or so many at once are what slows them. Where no smaller count on
    record shows that workers pay, the only way to know is to try fewer.
    """
    level = history.levels[-1]
    rested = history.doubted_at is None or view.mark.at - history.doubted_at >= _DOUBT_SECONDS
    if not rested or level.last.at - level.first.at < _STUCK_SECONDS or view.crew.booting:
        return False
    if view.service is None or not trusted(history.learned):
        return False
    slower = (saturated_seconds(view.run) or 0.0) > _SLOWER * view.service.seconds
    fewest = max(policy.min_workers, floor_of(history))
    return slower and pays(history) is not True and not cores_full(policy, view) and level.ready > fewest


def _calm(history: History, view: View) -> History:
    """Levels end with the run of pressure; a ceiling is lifted by calm with room to spare."""
    ceiling = history.ceiling
    if history.pressed_from is None and history.levels:
        history = replace(history, levels=())
    if ceiling is None or view.mark.at - history.calm_from < _LIFTED_AFTER_SECONDS:
        return history
    busy = view.fast.busy
    return replace(history, ceiling=None) if busy is not None and busy < 0.7 * view.crew.slots else history
