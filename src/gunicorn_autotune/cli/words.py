"""Decisions in words: one sentence for each reason, kept here and nowhere else."""

from __future__ import annotations

from gunicorn_autotune.model.decisions import Action, Bottleneck, CapName, Cause, Reason
from gunicorn_autotune.model.status import ExitReason, Mode

REASONS: dict[str, str] = {
    Reason.BACKLOG: "requests wait in the queue",
    Reason.ALL_BUSY: "every worker is busy, or requests wait longer than the goal",
    Reason.DEMAND: "nobody waits yet, but the load measured needs more workers",
    Reason.BELOW_MIN: "fewer workers than min_workers",
    Reason.QUEUE_TIME: "calm on average, yet requests wait longer than the goal: bursts between two looks",
    Reason.PROBE: "requests wait, though the figures call the workers enough: a few more are tried",
    Reason.RECYCLE: "a worker is replaced, its replacement first",
    Reason.DRAIN_FIRST: "a worker is replaced; there is no room for both, so the old one leaves first",
    Reason.LOAD_FELL: "calm, and fewer workers were enough for the whole window",
    Reason.MEMORY: "the workers outgrow the memory limit",
    Reason.OOM_KILL: "the kernel killed for memory: back to what fits",
    Reason.CPU: "more workers than the cores can feed",
    Reason.ABOVE_MAX: "more workers than max_workers",
    Reason.STEADY: "the load measured needs about this many",
    Reason.AT_MAX: "more are needed, but max_workers is reached",
    Reason.AT_CPU_CAP: "more are needed, but the cores could not feed them",
    Reason.AT_MEMORY_CAP: "more are needed, but they would not fit into memory",
    Reason.AT_PIDS_CAP: "more are needed, but the limit on processes (pids) leaves no room",
    Reason.AT_FILES_CAP: "more are needed, but the arbiter's limit on open files leaves no room",
    Reason.BOOTING: "requests wait; the workers that boot now come first",
    Reason.VERIFYING: "requests wait; by the figures there are workers enough, and their effect is awaited",
    Reason.NO_GAIN: "more workers did not raise throughput",
    Reason.COOLING: "fewer would do, but the calm has not lasted long enough",
    Reason.HELD: "fewer would do, but every worker that could leave holds long-lived connections",
    Reason.OPERATOR: "the count was changed by hand and is left alone for a while",
    Reason.FROZEN: "a reload, upgrade or shutdown is under way",
    Reason.BOOT_BACKOFF: "a worker failed to boot; no new one before the pause is over",
    Reason.MISSING: "the load cannot be told yet",
    Reason.BOOT_FAILED: "an added worker failed to boot, so the count goes back",
}
CAUSES: dict[str, str] = {
    Cause.MEMORY: "memory would run out",
    Cause.RELOAD: "a reload, in batches that fit",
    Cause.OPERATOR: "asked for by an operator",
    Cause.SIZE: "over its limit of size",
    Cause.LEAK: "it grows with every request",
    Cause.REQUESTS: "max_requests reached",
    Cause.AGE: "over its limit of age",
}
VERBS: dict[str, str] = {
    Action.GROW: "Growing to {to}",
    Action.SHRINK: "Shrinking to {to}",
    Action.HOLD: "Holding at {to}",
    Action.ROLLBACK: "Going back to {to}",
}
WOULD: dict[str, str] = {
    Action.GROW: "Would grow to {to}",
    Action.SHRINK: "Would shrink to {to}",
    Action.ROLLBACK: "Would go back to {to}",
}
"""Where decisions are made and not carried out."""
CAPS: dict[str, str] = {
    CapName.CPU: "cores",
    CapName.MEMORY: "memory",
    CapName.PIDS: "pids",
    CapName.FILES: "open files",
    CapName.CONFIG_MAX: "max_workers",
}
MODES: dict[str, str] = {
    Mode.ACTIVE: "green",
    Mode.OBSERVE: "yellow",
    Mode.PAUSED: "yellow",
    Mode.FALLBACK: "red",
}
"""The colour of each mode."""
MODE_NOTES: dict[str, str] = {
    Mode.OBSERVE: "observe: decides and logs, but touches no worker",
    Mode.PAUSED: "paused: a change by hand, a reload or an upgrade comes first",
    Mode.FALLBACK: "fallback: autotune failed repeatedly and leaves the count alone; see Gunicorn's error log",
}
BAD_ENDS: dict[str, str] = {
    ExitReason.OOM_KILL: "killed by the kernel for memory (OOM kill), they did not fit",
    ExitReason.TIMEOUT: "aborted, silent for longer than Gunicorn's timeout",
    ExitReason.ERROR: "ended by an error",
    ExitReason.SIGNAL: "crashed, or killed by somebody's signal",
}
CALM = Bottleneck.NONE.value


def reason_text(reason: str) -> str:
    """The sentence of a reason; of one from a newer server, the word itself."""
    return REASONS.get(reason, reason)


def cause_text(cause: str | None) -> str:
    """`: max_requests reached` of a recycle; empty where there is no cause."""
    return f": {CAUSES.get(cause, cause)}" if cause else ""


def decision_text(action: str, to: object, *, touches: bool = True) -> str:
    """`Growing to 9`; `Would grow to 9` where the decision is not carried out."""
    verbs = VERBS if touches else VERBS | WOULD
    return verbs.get(action, action + " at {to}").format(to=to)
