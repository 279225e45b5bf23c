"""A running server as ticks: its /status.json once a second, each document read as far as it goes.

The document holds neither the spread of service times, nor waits for a core, nor what a boot costs: those are Missing.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gunicorn_autotune.cli.asking import Place
from gunicorn_autotune.cli.status import parse_document, read_status
from gunicorn_autotune.cli.style import CommandError
from gunicorn_autotune.model.decisions import Action, Bottleneck, Decision, Reason
from gunicorn_autotune.model.flight import Tick
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.readings import UNLIMITED, HostReading, ListenerReading, MemoryReading, Missing
from gunicorn_autotune.model.snapshot import QUEUE_TIME_BOUNDS_SECONDS, Snapshot, Totals, WorkerReading, WorkerState
from gunicorn_autotune.model.status import DOCUMENT_VERSION

EVERY_SECONDS = 1.0
NOT_TOLD = Missing("/status.json does not tell it")
PRESSURES = ("cpu_pressure", "memory_pressure", "io_pressure")


@dataclass(slots=True)
class Sums:
    """Counters over all slots since the first document; a slot counts from when it is first seen."""

    requests: int = 0
    busy_seconds: float = 0.0
    cpu_seconds: float = 0.0
    before: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)

    def add(self, workers: list[dict[str, Any]]) -> None:
        """One more document's workers."""
        now = {worker["slot"]: worker for worker in workers}
        for slot, worker in now.items():
            older = self.before.get(slot, worker)
            self.requests += int(_rise(older, worker, "requests"))
            self.busy_seconds += _rise(older, worker, "busy_seconds")
            if older["ready"] and worker["ready"]:
                # A slot's CPU time holds its boots too, and an import is no load.
                self.cpu_seconds += _rise(older, worker, "cpu_seconds")
        self.before = {**self.before, **now}


def watch(place: Place, token: str, seconds: float, tell: Callable[[float], None]) -> list[dict[str, Any]]:
    """The documents of `seconds`; `tell` hears how many are left."""
    started = time.monotonic()
    documents = [_ask(place, token)]
    while (left := started + seconds - time.monotonic()) > 0.0:
        tell(left)
        time.sleep(min(EVERY_SECONDS, left))
        documents.append(_ask(place, token))
    tell(0.0)
    return documents


def _ask(place: Place, token: str) -> dict[str, Any]:
    document = parse_document(place, read_status(place, token))
    if "missing" in document:
        raise CommandError(f"{place}: {document['missing']}")
    return document


def ticks_of(documents: list[dict[str, Any]]) -> list[Tick]:
    """One for each document; documents published at the same instant count once."""
    sums, ticks = Sums(), list[Tick]()
    try:
        for document in documents:
            sums.add(document["workers"])
            tick = Tick(snapshot=_snapshot(document, sums), decision=_decision(document))
            if not ticks or tick.snapshot.at > ticks[-1].snapshot.at:
                ticks.append(tick)
    except (KeyError, TypeError, ValueError) as error:
        version = documents[-1].get("version")
        raise CommandError(
            f"status document version {version} cannot be read ({type(error).__name__}: {error}); this command knows "
            f"version {DOCUMENT_VERSION}: use the gunicorn-autotune of the server"
        ) from None
    return ticks


def server_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Gunicorn's settings, those that the document tells."""
    told = {name: document["server"][name] for name in ("gunicorn", "python", "worker_class")}
    return told | {"threads": document["threads"]} if document["threads"] < 256 else told


def policy_of(document: Mapping[str, Any]) -> Policy:
    """Autotune's settings; what a newer server has and this command does not know is left out."""
    names = {spec.name for spec in dataclasses.fields(Policy)}
    return Policy(**{name: value for name, value in document["policy"].items() if name in names})


def _rise(older: Mapping[str, Any], newer: Mapping[str, Any], name: str) -> float:
    before, after = older[name], newer[name]
    if isinstance(before, dict) or isinstance(after, dict):
        return 0.0
    return max(0.0, float(after - before))


def _snapshot(document: Mapping[str, Any], sums: Sums) -> Snapshot:
    return Snapshot(
        at=document["monotonic"],
        workers=tuple(_worker(worker, document) for worker in document["workers"]),
        listeners=tuple(
            ListenerReading(one["address"], _reading(one["backlog"]), _reading(one["backlog_limit"]))
            for one in document["listeners"]
        ),
        host=_host(document["host"]),
        totals=_totals(document["workers"], sums),
        target=document["target"],
        threads=document["threads"],
        frozen=document["frozen"],
    )


def _worker(worker: Mapping[str, Any], document: Mapping[str, Any]) -> WorkerReading:
    uss, pss = _reading(worker["uss_bytes"]), _reading(worker["pss_bytes"])
    unread = uss if isinstance(uss, Missing) else pss
    state = worker["state"]
    return WorkerReading(
        slot=worker["slot"],
        pid=worker["pid"],
        age=0,
        state=WorkerState.UNKNOWN if isinstance(state, dict) else WorkerState(state),
        spawned_at=worker["spawned_unix_seconds"] - document["time"] + document["monotonic"],
        ready_at=None,
        in_flight=_number(worker["in_flight"]),
        queued=_number(worker["queued"]),
        oldest_request_seconds=_number(worker["oldest_request_seconds"]),
        requests=_number(worker["requests"]),
        rss_bytes=_reading(worker["rss_bytes"]),
        memory=unread if isinstance(unread, Missing) else MemoryReading(pss_bytes=pss, uss_bytes=uss),
    )


def _totals(workers: list[dict[str, Any]], sums: Sums) -> Totals:
    unreported = next((_reading(one["busy_seconds"]) for one in workers if isinstance(one["busy_seconds"], dict)), None)
    unread = bool(workers) and all(isinstance(one["cpu_seconds"], dict) for one in workers)
    return Totals(
        busy_seconds=sums.busy_seconds if unreported is None else unreported,
        requests_started=sums.requests + sum(_number(one["in_flight"]) for one in workers),
        requests_finished=sums.requests,
        service_seconds=sums.busy_seconds,
        service_seconds_squared=0.0,
        cpu_seconds=NOT_TOLD if unread else sums.cpu_seconds,
        run_delay_seconds=NOT_TOLD,
        boot_cpu_seconds=0.0,
        boots=0,
        queue_time_counts=(0,) * (len(QUEUE_TIME_BOUNDS_SECONDS) + 1),
    )


def _host(host: Mapping[str, Any]) -> HostReading:
    names = {spec.name for spec in dataclasses.fields(HostReading)} - set(PRESSURES)
    return HostReading(**{name: _reading(host[name]) for name in names}, **dict.fromkeys(PRESSURES, NOT_TOLD))


def _decision(document: Mapping[str, Any]) -> Decision:
    made, named = document["decision"], _reading(document["bottleneck"])
    bottleneck = named if isinstance(named, Missing) else Bottleneck(named)
    return Decision(Action(made["action"]), Reason(made["reason"]), made["to"], bottleneck=bottleneck)


def _reading(value: Any) -> Any:
    """A value as `plain` wrote it."""
    if isinstance(value, dict):
        return Missing(str(value["missing"]))
    return UNLIMITED if value == "unlimited" else value


def _number(value: Any) -> Any:
    """0 where it is missing."""
    return 0 if isinstance(value, dict) else value
