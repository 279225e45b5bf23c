"""Which rows can be believed. A worker shares its memory with the app, and the app may write anything into it.

A row is believed whole or not at all: with one word beyond what it can ever hold, the last row that was believed stands
in for it, as of a worker that reports nothing now. So its counters stop instead of running away, and nobody reckons
with garbage.
"""

from __future__ import annotations

import struct
import sys
from array import array

from gunicorn_autotune.scoreboard import layout
from gunicorn_autotune.scoreboard.board import PRESENT_WORDS, Board
from gunicorn_autotune.scoreboard.layout import NOT_READ, OWN_WORDS, QUEUED, READY_NS, ROW_WORDS, WORD_BYTES

AHEAD_NS = 1_000_000_000
"""A worker may have stamped its row after the reader took the time."""
AT_ONCE_BITS = 20
"""Requests of one worker that run or wait at the same time: it would need as many descriptors."""
COUNT_BITS = 48
"""Requests: 8,900 years at a thousand a second."""
STAMP_BITS = 62
"""A monotonic clock after 146 years."""
WORD_BITS = {
    layout.IN_FLIGHT: AT_ONCE_BITS,
    layout.WEBSOCKETS: AT_ONCE_BITS,
    layout.LONG_REQUESTS: AT_ONCE_BITS,
    layout.ACCEPTED_NS: STAMP_BITS,
    layout.READING: AT_ONCE_BITS,
    layout.EXIT: layout.EXIT_NOTE_SHIFT + 2,
    layout.RECORDS: 1,
    layout.QUEUE_DROPPED: COUNT_BITS,
    layout.CHANGED_NS: STAMP_BITS,
    layout.OLDEST_NS: STAMP_BITS,
    **dict.fromkeys(range(layout.CELLS, layout.CELLS + layout.CELL_COUNT), STAMP_BITS),
    **dict.fromkeys(range(layout.QUEUE_BUCKETS, layout.DURATION_END), COUNT_BITS),
    **dict.fromkeys(range(layout.DOOR_ERRORS, layout.DOOR_ERRORS_END), COUNT_BITS),
}
"""How many bits of a word are ever used, where that is fewer than all."""


def _too_high(bits: int) -> int:
    return (1 << 64) - (1 << bits)


_WORDS = struct.Struct(f"@{ROW_WORDS - OWN_WORDS}Q")
_READY, _QUEUED = ((word - OWN_WORDS) * WORD_BYTES for word in (READY_NS, QUEUED))
_word_at = struct.Struct("@Q").unpack_from
_TOO_HIGH = array("Q", [_too_high(WORD_BITS.get(word, 64)) for word in range(OWN_WORDS, ROW_WORDS)]).tobytes()
_NOTHING = bytes(_WORDS.size)
NEVER_USED = int.from_bytes(_TOO_HIGH, sys.byteorder)
"""The bits of a whole row that are never used, as one number: a row is held against it for a microsecond."""


def can_be_true(raw: bytes, now_ns: int) -> bool:
    """Whether a worker of ours may have written these words, from OWN_WORDS on, by `now_ns`."""
    if int.from_bytes(raw, sys.byteorder) & NEVER_USED:
        return False
    queued = _word_at(raw, _QUEUED)[0]
    return bool(_word_at(raw, _READY)[0] <= now_ns + AHEAD_NS and (queued == NOT_READ or not queued >> AT_ONCE_BITS))


class Believed:
    """One reader's rows: each as it is now, or as it was when it could last be true."""

    def __init__(self) -> None:
        self._last: dict[int, bytes] = {}
        self.doubted: set[int] = set()
        """Slots whose last answer was a stand-in."""

    def read(self, board: Board, slot: int, now_ns: int) -> list[int]:
        """All words of a slot, or what stands in for them."""
        raw = board.written(slot)
        # What could be true once still can: the clock only goes on.
        if raw == self._last.get(slot) or can_be_true(raw, now_ns):
            self._last[slot] = raw
            self.doubted.discard(slot)
            return [*board.noted_all(slot), *_WORDS.unpack(raw)]
        self.doubted.add(slot)
        words = [*board.noted_all(slot), *_WORDS.unpack(self._last.get(slot, _NOTHING))]
        for word in (*PRESENT_WORDS, layout.RECORDS):
            words[word] = 0
        # Who wrote there runs the app: it serves, as far as anybody can tell.
        words[READY_NS] = words[layout.SPAWNED_NS]
        return words
