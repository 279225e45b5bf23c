"""Commands of an operator, carried out: once a tick, each with a line in the log."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import Any

from gunicorn_autotune.model.commands import (
    WRITTEN_PLACE,
    CommandMalformed,
    CommandRefused,
    Ping,
    Recycle,
    chosen_slots,
    parse_command,
    slots_text,
)
from gunicorn_autotune.model.status import Mode
from gunicorn_autotune.runtime.command_socket import AUTO, SO_PASSCRED, Datagram
from gunicorn_autotune.runtime.log import line
from gunicorn_autotune.runtime.state import Autotune, Tracked

WHY_NOT = {
    Mode.OBSERVE: "mode is observe: this server changes no worker; see its setting `mode`",
    Mode.FALLBACK: "mode is fallback: autotune failed repeatedly and changes no worker until the next HUP; see the log",
}

MOST_LISTENERS = 100
"""In the reply to a ping, which is one datagram."""


def tend(server: Any, tune: Autotune, now: float) -> None:
    """Keep the socket where the policy wants it, and carry out what came in."""
    tune.commands.tend(tune.policy.command_socket, now, lambda path, why: _tell(server, tune, path, why))
    if tune.identity.command_socket != tune.commands.path:
        tune.identity = replace(tune.identity, command_socket=tune.commands.path)
    for datagram in tune.commands.receive():
        tune.commands.answer(datagram.sender, reply_to(server, tune, datagram))


def stop(tune: Autotune) -> None:
    """This server is leaving: take no more commands, and say so."""
    tune.commands.close()
    tune.identity = replace(tune.identity, command_socket="")


def _tell(server: Any, tune: Autotune, path: str, why: str) -> None:
    if why:
        # Under ProtectSystem=strict, or without a temporary folder, no place of our own choice can be written.
        cure = {"cure": f"{WRITTEN_PLACE} in the unit"} if tune.policy.command_socket == AUTO else {}
        told = "could not create the command socket; Gunicorn keeps serving"
        server.log.warning(line(told, path=path, error=why, **cure))
    else:
        server.log.info(line("command socket", path=path))


def reply_to(server: Any, tune: Autotune, datagram: Datagram) -> dict[str, Any]:
    """Carry out one datagram; `{"ok": false, "error": why}` when it is refused."""
    try:
        _admit(datagram)
        command = parse_command(datagram.data)
        if isinstance(command, Ping):
            return _about(server, tune)
        return _recycle(server, tune, command, datagram)
    except CommandRefused as refusal:
        _note_refusal(server, tune, datagram, refusal)
        return {"ok": False, "error": str(refusal)}


def _about(server: Any, tune: Autotune) -> dict[str, Any]:
    """Which server this is, for whoever looks for one among several."""
    listeners = [re.sub("^https?://", "", str(listener)) for listener in server.LISTENERS[:MOST_LISTENERS]]
    return {
        "ok": True,
        "pid": os.getpid(),
        "mode": mode_now(tune).value,
        "name": tune.identity.name,
        "bind": listeners,
        "metrics": tune.identity.metrics,
        "workers": len(server.WORKERS),
    }


def _admit(datagram: Datagram) -> None:
    """Root and our own user; the mode of the file says the same, this is the second lock."""
    if SO_PASSCRED is not None and datagram.uid not in (0, os.geteuid()):
        raise CommandRefused(f"uid {datagram.uid}: only root and uid {os.geteuid()} may command this server")


def _note_refusal(server: Any, tune: Autotune, datagram: Datagram, refusal: CommandRefused) -> None:
    """Count it, and log the first of its kind: a flood must not fill a disk."""
    tune.tally.commands_refused += 1
    kind = "malformed" if isinstance(refusal, CommandMalformed) else f"refused uid={datagram.uid}"
    if f"command {kind}" not in tune.faults_logged and len(tune.faults_logged) < 100:
        tune.faults_logged.add(f"command {kind}")
        server.log.warning(
            line("command refused (logged once)", error=refusal, uid=datagram.uid, pid=datagram.pid)
        )  # fmt: skip


def _recycle(server: Any, tune: Autotune, command: Recycle, datagram: Datagram) -> dict[str, Any]:
    """Mark the workers; the law replaces them one after the other, each replacement first."""
    mode = mode_now(tune)
    if mode in WHY_NOT:
        raise CommandRefused(WHY_NOT[mode])
    staying = _staying(server, tune)
    slots = chosen_slots(command, staying)
    for slot in slots:
        staying[slot][1].asked = True
    server.log.info(line("recycle asked", slots=slots_text(slots), uid=datagram.uid, pid=datagram.pid))
    return {"ok": True, "slots": slots, "pids": [staying[slot][0] for slot in slots], "mode": mode.value}


def _staying(server: Any, tune: Autotune) -> dict[int, tuple[int, Tracked]]:
    """Pid and worker by slot, of all that are not leaving already."""
    pids = {id(worker): pid for pid, worker in list(server.WORKERS.items())}
    return {
        tracked.slot: (pids[id(tracked.worker)], tracked)
        for tracked in list(tune.tracked.values())
        if tracked.slot is not None and not tracked.draining and id(tracked.worker) in pids
    }


def mode_now(tune: Autotune) -> Mode:
    """The mode in force: paused while an operator's hold or a freeze lasts."""
    return Mode.PAUSED if tune.mode is Mode.ACTIVE and (tune.frozen or tune.held_until) else tune.mode
