"""The mapping: whole words, whole documents."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from gunicorn_autotune.scoreboard import board, layout
from gunicorn_autotune.scoreboard.board import Board

SHAPE = layout.Shape(rows=4, status_bytes=4096)


def test_rows_start_on_a_cache_line() -> None:
    """Rows are 64-byte aligned, so that two workers never write the same line."""
    offsets = [SHAPE.row_offset(slot) * layout.WORD_BYTES % 64 for slot in range(SHAPE.rows)]

    assert offsets == [0, 0, 0, 0]


def test_arbiter_and_worker_words_do_not_overlap() -> None:
    """One number means one word, in whichever of the two memories it stands."""
    assert layout.COMMAND < layout.OWN_WORDS <= layout.CHANGED_NS


NOT_OF_A_ROW = {"WORD_BYTES", "LINE_WORDS", "NOT_READ", "OWN_WORDS", "ROW_WORDS", "HEADER_WORDS", "STATUS_ACTIVE",
                "SLOTS_USED", "STATUS_BYTES", "DOOR_ERRORS", "LONG_NS", "READING_NS"}  # fmt: skip
"""Sizes, the header's words, and where a range begins."""
VALUES = ("_", "LEFT_", "EXIT_")
"""How names begin that say what may stand in a word, not where."""


def single_words() -> list[int]:
    """The words of a row that have a name of their own."""
    sizes = ("_COUNT", "_END", "CELLS", "_BUCKETS")
    names = {name for name, value in vars(layout).items() if name.isupper() and isinstance(value, int)} - NOT_OF_A_ROW
    return [getattr(layout, name) for name in names if not name.endswith(sizes) and not name.startswith(VALUES)]


def test_no_two_words_of_a_row_share_a_place() -> None:
    """Two that did would be written over each other: the cells and the histograms are ranges of words."""
    cells = range(layout.CELLS, layout.CELLS + layout.CELL_COUNT)
    waits = range(layout.QUEUE_BUCKETS, layout.QUEUE_END)
    durations = range(layout.DURATION_BUCKETS, layout.DURATION_END)
    doors = range(layout.DOOR_ERRORS, layout.DOOR_ERRORS_END)
    words = [*single_words(), *cells, *waits, *durations, *layout.DURATION_SUMS, *doors]

    assert {word: count for word, count in Counter(words).items() if count > 1} == {}
    assert set(words) <= set(range(layout.ROW_WORDS))


def test_no_two_words_of_the_header_share_a_place() -> None:
    """And the first row begins after the last."""
    words = [layout.STATUS_ACTIVE, layout.SLOTS_USED, *layout.STATUS_LENGTH, *layout.STATUS_CRC]

    assert len(words) == len(set(words))
    assert max(words) < layout.HEADER_WORDS == SHAPE.own_offset(0)


def test_a_duration_is_taken_for_the_middle_of_its_bucket() -> None:
    """The first begins at nothing, the last ends at twice the last bound."""
    bounds = layout.DURATION_BOUNDS_SECONDS
    middles = layout.DURATION_MIDDLES_SECONDS

    assert (len(bounds) + 1, bounds[0] / 2, 1.5 * bounds[-1]) == (len(middles), middles[0], middles[-1])
    assert all(low < middle < high for low, middle, high in zip(bounds, middles[1:], bounds[1:], strict=False))


def test_a_published_document_is_said_to_be_published() -> None:
    """Whoever publishes drops the list of decisions when it hears that the document did not fit."""
    assert board.create(SHAPE).publish(b"x" * SHAPE.status_bytes) is True


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
    made.note(2, layout.PID, 4711)
    made.row(2)[layout.QUEUED] = 7
    words = Board(made.fds, SHAPE, writable=False).words(2)

    assert (words[layout.PID], words[layout.QUEUED]) == (4711, 7)


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


def _write_for_ever(fds: tuple[int, int]) -> None:
    mine = Board(fds, SHAPE)
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
    kept = (os.dup(made.fds[0]), os.dup(made.fds[1]))
    writer = multiprocessing.get_context("fork").Process(target=_write_for_ever, args=(kept,), daemon=True)
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


def test_nobody_can_cut_the_memory_or_let_it_grow() -> None:
    """A process dies of SIGBUS when its mapping is cut: every worker has a descriptor, so the kernel must refuse."""
    made = board.create(SHAPE)
    sizes = [os.fstat(fd).st_size for fd in made.fds]
    for fd in made.fds:
        for size in (0, 1 << 30):
            with pytest.raises(PermissionError):
                os.ftruncate(fd, size)

    assert [os.fstat(fd).st_size for fd in made.fds] == sizes


def test_memory_is_sealed_by_a_python_without_memfd_create(monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds against an old C library lack it in os; the library of the host has it."""
    monkeypatch.delattr(os, "memfd_create")
    with pytest.raises(PermissionError):
        os.ftruncate(board.create(SHAPE).fds[0], 0)


def test_a_system_without_memfd_gets_a_file_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be sealed, but it works."""
    monkeypatch.setattr("gunicorn_autotune.scoreboard.memory._memfd", lambda: None)
    made = board.create(SHAPE)
    made.publish(b"here")

    assert made.status() == b"here"


def _child_says(ask: Callable[[], str]) -> str:
    """What `ask` answers in a forked child."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.write(writer, ask().encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    with os.fdopen(reader) as pipe:
        return pipe.read()


def test_a_forked_process_loses_what_is_the_arbiters_own() -> None:
    """Whoever forks it: no mapping, no descriptor; the rows stay for a worker to write."""
    made = board.create(SHAPE)

    def ask() -> str:
        maps = [line for line in Path("/proc/self/maps").read_text().splitlines() if "gunicorn-autotune" in line]
        made.row(1)[layout.QUEUED] = 9
        return f"{len(maps)} {made.fds}"

    mapped = Path("/proc/self/maps").read_text().count("gunicorn-autotune")
    answer = _child_says(ask)

    assert (answer.split(" ", 1)[1], int(answer.split()[0]) < mapped) == ("(-1, -1)", True)
    assert (made.words(1)[layout.QUEUED], made.publish(b"mine")) == (9, True)


def test_a_figure_that_fits_into_no_word_ends_at_its_bound() -> None:
    """Nothing that is written about a slot overflows."""
    made = board.create(SHAPE)
    made.note(0, layout.CPU_NS, 1 << 70)
    made.note(0, layout.RSS_BYTES, -1)

    assert (made.noted(0, layout.CPU_NS), made.noted(0, layout.RSS_BYTES)) == ((1 << 64) - 1, 0)
