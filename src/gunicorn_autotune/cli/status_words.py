"""Why the count is what it is, in one sentence: a reason alone does not know the situation it is shown in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gunicorn_autotune.cli.words import cause_text, decision_text, reason_text
from gunicorn_autotune.model.decisions import Bottleneck, CapName, Reason
from gunicorn_autotune.model.status import Mode

UNSEEN_KIND = "unknown"
"""`kind` in the status document of a worker class that does not report its requests."""
FROZEN: dict[str, str] = {
    "reload": "a reload is under way",
    "upgrade": "two masters share the load until the upgrade is over",
    "shutdown": "the server is shutting down",
    "winch": "SIGWINCH asked for no workers; SIGHUP brings them back",
}
NO_GAIN: dict[str, str] = {
    Bottleneck.CPU: "the cores are full",
    Bottleneck.DOWNSTREAM: "something behind them is the limit",
}
"""Where a growth that did not pay was found to end."""


def why_text(document: Mapping[str, Any]) -> str:
    """`Growing to 9: requests wait in the queue.`; `Would grow` where no count is touched."""
    mode, decision = document["mode"], document["decision"]
    if mode == Mode.FALLBACK.value:
        # The decision is the last one before ours failed: neither its count nor its reason holds any more.
        return f"The count is left at {document['target']}."
    verb = decision_text(decision["action"], decision["to"], touches=mode != Mode.OBSERVE.value)
    return f"{verb}: {_reason(document)}{cause_text(decision.get('cause'))}."


def _reason(document: Mapping[str, Any]) -> str:
    reason = str(document["decision"]["reason"])
    if reason == Reason.FROZEN.value:
        return FROZEN.get(str(document.get("frozen")), reason_text(reason))
    if reason == Reason.NO_GAIN.value:
        limit = NO_GAIN.get(str(document["bottleneck"]), "")
        return ": ".join(filter(None, (reason_text(reason), limit)))
    if reason == Reason.STEADY.value:
        return _steady(document)
    if reason == Reason.MISSING.value:
        return _unseen(document)
    return reason_text(reason)


def _steady(document: Mapping[str, Any]) -> str:
    """Three different things keep a count: the bounds, the lower bound, or the load."""
    floor, demand = document["floor"], document["demand"]
    if floor == document["caps"].get(CapName.CONFIG_MAX.value):
        return "min_workers and max_workers allow no other count"
    if floor == document["decision"]["to"] and isinstance(demand, (int, float)) and demand < floor:
        return "the load measured needs fewer, min_workers keeps this many"
    return reason_text(Reason.STEADY.value)


def _unseen(document: Mapping[str, Any]) -> str:
    if (document.get("gunicorn") or {}).get("kind") != UNSEEN_KIND:
        return reason_text(Reason.MISSING.value)
    if "backlog" not in document["decision"]["facts"]:
        return "neither the requests nor a queue can be seen"
    return "no requests wait in the kernel's queue; those that the workers handle cannot be seen"
