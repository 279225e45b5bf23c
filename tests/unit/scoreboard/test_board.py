"""The mapping: whole words, whole documents."""

from __future__ import annotations

import multiprocessing
import time

import pytest

from gunicorn_autotune.scoreboard import board, layout
from gunicorn_autotune.scoreboard.board import Board

SHAPE = layout.Shape(rows=4, status_bytes=4096)


def test_rows_start_on_a_cache_line() -> None:
    """Rows are 64-byte aligned, so that two workers never write the same line."""
    offsets = [SHAPE.row_offset(slot) * layout.WORD_BYTES % 64 for slot in range(SHAPE.rows)]

    assert offsets == [0, 0, 0, 0]


def test_arbiter_and_worker_words_do_not_share_a_cache_line() -> None:
    """The arbiter's words end before the line on which the worker's begin."""
    assert layout.COMMAND // layout.LINE_WORDS < layout.CHANGED_NS // layout.LINE_WORDS


def test_a_board_has_room_for_a_reload_of_the_largest_set() -> None:
    """A HUP doubles the workers for a moment: capacity is at least twice max_workers."""
    assert layout.shape_for(64).rows >= 2 * 64


def test_a_slot_outside_the_board_is_refused_by_name() -> None:
    """The error names the slot and the size."""
    with pytest.raises(IndexError, match="slot 4: the board has 4 rows"):
        SHAPE.row_offset(4)


def test_another_mapping_of_the_same_memory_sees_the_same_words() -> None:
    """The exporter maps the board by its descriptor."""
    made = board.create(SHAPE)
    made.row(2)[layout.PID] = 4711

    assert Board(made.fd, SHAPE).row(2)[layout.PID] == 4711


def test_the_last_published_document_is_read() -> None:
    """Readers see the newest status, whole."""
    made = board.create(SHAPE)
    for text in (b"first", b"second", b"third, and longer than the others"):
        made.publish(text)

    assert made.status() == b"third, and longer than the others"


def test_a_document_that_does_not_fit_leaves_the_last_one() -> None:
    """Too large is answered with False; readers keep what they had."""
    made = board.create(SHAPE)
    made.publish(b"small")

    assert (made.publish(b"x" * 5000), made.status()) == (False, b"small")


def test_no_document_before_the_first() -> None:
    """A reader that comes early gets nothing, not an empty document."""
    assert board.create(SHAPE).status() is None


PATTERNS = (0x1111111111111111, 0xEEEEEEEEEEEEEEEE)


def _write_for_ever(fd: int) -> None:
    mine = Board(fd, SHAPE)
    row, documents = mine.row(1), [bytes([65 + n]) * (1000 + n) for n in range(26)]
    while True:
        for n in range(1000):
            row[layout.BUSY_NS] = PATTERNS[n & 1]
        for document in documents:
            mine.publish(document)


def test_two_process_torture_shows_no_torn_word_and_no_mixed_document() -> None:
    """For 4 s one process writes and another reads: every word read is one that was written, every document whole."""
    made = board.create(SHAPE)
    made.row(1)[layout.BUSY_NS] = PATTERNS[0]
    made.publish(b"A" * 1000)
    writer = multiprocessing.get_context("fork").Process(target=_write_for_ever, args=(made.fd,), daemon=True)
    writer.start()
    row = made.row(1)
    seen, bad, reads = set(), [], 0
    deadline = time.monotonic() + 4.0
    try:
        while time.monotonic() < deadline:
            for _ in range(2000):
                word = row[layout.BUSY_NS]
                seen.add(word)
            document = made.status()
            reads += 2001
            if document is None or len(set(document)) != 1 or len(document) != 1000 + document[0] - 65:
                bad.append(document)
    finally:
        writer.kill()
        writer.join()

    assert (bad, seen, reads > 100_000) == ([], set(PATTERNS), True)
