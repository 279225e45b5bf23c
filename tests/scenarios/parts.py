"""Tables of a scenario file as the values of gunicorn_autotune.testing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar

from gunicorn_autotune.model.policy import Policy, PolicyError, policy_from, with_automatic_max
from gunicorn_autotune.testing import Application, Change, Load, Machine, at_once, bursts, day, noisy, steps

T = TypeVar("T", Application, Machine)

SENSORS = ("backlog", "busy", "cpu", "run_delay", "queue_time", "memory", "memory_limit", "cores")
_DRAWN_BEFORE = ("spread", "slow_share", "slow_factor", "pooled_share")
"""Every request has these from the start of a run, so that each controller meets the same requests."""
_LOADS = {
    "steps": ("parts",),
    "bursts": ("seconds", "every", "lasting", "low", "high"),
    "day": ("seconds", "peak", "low"),
}


class ScenarioError(ValueError):
    """A scenario file is wrong; the text names file, key and rule."""


def only(file: str, where: str, table: Mapping[str, Any], known: Iterable[str]) -> None:
    """Refuse keys that nobody reads."""
    for key in table:
        if key not in known:
            dotted = f"{where}.{key}" if where else key
            raise ScenarioError(f"{file}: {dotted}: no such key; known: {', '.join(sorted(known))}")


def said(file: str, where: str, words: Iterable[str], vocabulary: type[Enum]) -> None:
    """Refuse words that the law does not know."""
    known = [member.value for member in vocabulary]
    for word in words:
        if word not in known:
            raise ScenarioError(f"{file}: {where}: {word}: no such word; known: {', '.join(known)}")


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid over `under`, table by table; lists are replaced whole."""
    both = dict(under)
    for key, value in over.items():
        deeper = isinstance(value, Mapping) and isinstance(both.get(key), Mapping)
        both[key] = merged(both[key], value) if deeper else value
    return both


def application_of(file: str, where: str, before: Application, table: Mapping[str, Any]) -> Application:
    """`before` with the fields of `table`."""
    return _replaced(file, where, before, table)


def machine_of(file: str, where: str, before: Machine, table: Mapping[str, Any]) -> Machine:
    """`before` with the fields of `table`; `hidden` is a list of sensors."""
    for sensor in table.get("hidden", ()):
        if sensor not in SENSORS:
            raise ScenarioError(f"{file}: {where}.hidden: {sensor}: no such sensor; known: {', '.join(SENSORS)}")
    hidden = {"hidden": frozenset(table["hidden"])} if "hidden" in table else {}
    return _replaced(file, where, before, {**table, **hidden})


def _replaced(file: str, where: str, before: T, table: Mapping[str, Any]) -> T:
    only(file, where, table, [spec.name for spec in dataclasses.fields(before)])
    return dataclasses.replace(before, **table)


def policy_of(file: str, machine: Machine, table: Mapping[str, Any]) -> Policy:
    """The policy as an operator of that machine would get it."""
    try:
        return with_automatic_max(policy_from(table, {}), machine.cores, machine.memory_limit_bytes)
    except PolicyError as error:
        raise ScenarioError(f"{file}: policy: {error}") from None


def load_of(file: str, table: Mapping[str, Any]) -> Load:
    """What `kind` draws from its parameters, then made noisy and clumped where asked."""
    kind = table.get("kind")
    if kind not in _LOADS:
        raise ScenarioError(f"{file}: load.kind = {kind!r}: must be one of {', '.join(_LOADS)}")
    only(file, "load", table, (*_LOADS[kind], "kind", "noisy", "at_once"))
    given = {key: table[key] for key in _LOADS[kind] if key in table}
    try:
        load = _drawn(kind, given)
        load = noisy(load, **table["noisy"]) if "noisy" in table else load
    except TypeError as error:
        raise ScenarioError(f"{file}: load: {error}") from None
    return at_once(load) if table.get("at_once") else load


def _drawn(kind: str, given: dict[str, Any]) -> Load:
    if kind == "steps":
        return steps(*given.get("parts", ()))
    return bursts(**given) if kind == "bursts" else day(**given)


def changes_of(
    file: str, application: Application, machine: Machine, tables: Sequence[Mapping[str, Any]]
) -> tuple[Change, ...]:
    """Each change on top of the ones before it."""
    changes = []
    for table in sorted(tables, key=lambda one: one["at"]):
        only(file, "change", table, ("at", "application", "machine"))
        fields = table.get("application", {})
        for key in _DRAWN_BEFORE:
            if key in fields:
                raise ScenarioError(f"{file}: change.application.{key}: is drawn before the run and cannot change")
        application = application_of(file, "change.application", application, fields)
        machine = machine_of(file, "change.machine", machine, table.get("machine", {}))
        changes.append(Change(table["at"], application, machine))
    return tuple(changes)
