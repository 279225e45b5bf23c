"""What an operator may ask of a running arbiter, and what is no such thing. Pure: bytes in, a command out.

Whatever comes in may be hostile: every refusal is one short line of printable ASCII.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Union

from gunicorn_autotune.model.printable import shown

WRITTEN_PLACE = "RuntimeDirectory=NAME and Environment=GUNICORN_AUTOTUNE_COMMAND_SOCKET=/run/NAME/command.sock"
"""What puts the command socket of a systemd service where it can be made, and found by others."""
LONGEST_BYTES = 4096
"""Of one command."""
HIGHEST_SLOT = 1 << 20
SHOWN_SLOTS = 20


class CommandRefused(ValueError):  # noqa: N818 (a refusal of ours, not an error)
    """The command is not carried out; the text says why, in one line."""


class CommandMalformed(CommandRefused):
    """It is no command at all."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Is anybody there?"""


@dataclass(frozen=True, slots=True)
class Recycle:
    """Replace the workers of these slots."""

    slots: tuple[int, ...] | None
    """Sorted, none twice; None for all."""


Command = Union[Ping, Recycle]


def parse_command(data: bytes) -> Command:
    """The command that `data` is; CommandMalformed when it is none."""
    if len(data) > LONGEST_BYTES:
        raise CommandMalformed(f"a command has at most {LONGEST_BYTES} bytes")
    try:
        asked = json.loads(data.decode())
    except (ValueError, RecursionError):
        raise CommandMalformed("a command is one JSON object in UTF-8") from None
    if not isinstance(asked, dict):
        raise CommandMalformed("a command is one JSON object in UTF-8")
    name = asked.pop("command", None)
    if name == "ping":
        _nothing_else(asked)
        return Ping()
    if name == "recycle":
        slots = _slots(asked.pop("slots", None))
        _nothing_else(asked)
        return Recycle(slots)
    raise CommandMalformed(f"command {shown(name)}: must be ping or recycle")


def _slots(asked: Any) -> tuple[int, ...] | None:
    if asked == "all":
        return None
    if not isinstance(asked, list) or not asked:
        raise CommandMalformed(f'slots {shown(asked)}: must be "all" or a list of slot numbers')
    for slot in asked:
        if type(slot) is not int or not 0 <= slot <= HIGHEST_SLOT:
            raise CommandMalformed(f"slot {shown(slot)}: must be a slot number")
    return tuple(sorted(set(asked)))


def _nothing_else(rest: dict[str, Any]) -> None:
    if rest:
        raise CommandMalformed(f"key {shown(next(iter(rest)))}: not known to this command")


def chosen_slots(command: Recycle, in_use: Iterable[int]) -> list[int]:
    """The slots that `command` means among those that hold a worker; CommandRefused when one holds none."""
    held = sorted(in_use)
    if command.slots is None:
        if not held:
            raise CommandRefused("no slot holds a worker that could be recycled")
        return held
    for slot in command.slots:
        if slot not in held:
            raise CommandRefused(f"slot {slot}: holds no worker; slots in use are {slots_text(held)}")
    return list(command.slots)


def slots_text(slots: list[int]) -> str:
    """`0, 1, 4`, cut after SHOWN_SLOTS; `none` when there are none."""
    shown_slots = ", ".join(map(str, slots[:SHOWN_SLOTS])) or "none"
    return shown_slots + (f" and {len(slots) - SHOWN_SLOTS} more" if len(slots) > SHOWN_SLOTS else "")
