"""Rows full of garbage: nobody who reads them raises, and no figure is made of them."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.exporter.boards import a_document

from gunicorn_autotune.exporter import health, render
from gunicorn_autotune.model.snapshot import WorkerState
from gunicorn_autotune.runtime.exporter_main import BoardSource
from gunicorn_autotune.scoreboard import board, layout, recorder
from gunicorn_autotune.scoreboard.belief import WORD_BITS, Believed, can_be_true
from gunicorn_autotune.scoreboard.board import Board

SHAPE = layout.Shape(rows=2, status_bytes=64)
WORKER_WORDS = layout.ROW_WORDS - layout.OWN_WORDS
ALL_ONES = (1 << 64) - 1
WORD = st.one_of(st.integers(0, ALL_ONES), st.sampled_from([0, 1, 1 << 20, 1 << 48, 1 << 63, ALL_ONES]))
GARBAGE = st.dictionaries(st.integers(layout.OWN_WORDS, layout.ROW_WORDS - 1), WORD, min_size=1, max_size=8)
EVERY_WORD = dict.fromkeys(range(layout.OWN_WORDS, layout.ROW_WORDS), ALL_ONES)
NOW = 10**9
"""One second after the machine's start: the same in every run, and in the past for a reader with a real clock."""


@contextmanager
def served(requests: int) -> Iterator[Board]:
    """A board whose slot 0 is held by a worker that has answered so many requests."""
    made = board.create(SHAPE)
    made.slots_used = 1
    made.note(0, layout.PID, 4711)
    made.note(0, layout.SPAWNED_NS, NOW)
    row = made.row(0)
    row[layout.RECORDS] = 1
    row[layout.DURATION_BUCKETS] = requests
    row[layout.BUSY_NS] = requests * 1000
    recorder.mark_ready(row, NOW)
    row.release()
    yield made
    made.close()


def scribble(made: Board, words: dict[int, int]) -> None:
    """What the app writes over the row of slot 0."""
    row = made.row(0)
    for word, value in words.items():
        row[word] = value


def test_what_a_worker_writes_is_believed() -> None:
    """As it stands there."""
    with served(3) as made:
        believed = Believed()

        assert (believed.read(made, 0, NOW), believed.doubted) == (made.words(0), set())


@pytest.mark.parametrize("word", sorted(WORD_BITS))
def test_one_word_too_high_and_the_row_is_doubted(word: int) -> None:
    """By the bit after the last that is ever used."""
    with served(3) as made:
        made.row(0)[word] = 1 << WORD_BITS[word]

        assert not can_be_true(made.written(0), NOW)


@pytest.mark.parametrize(("word", "value", "believed"), [
    (layout.QUEUED, layout.NOT_READ, True), (layout.QUEUED, 1 << 20, False), (layout.QUEUED, (1 << 20) - 1, True),
    (layout.READY_NS, NOW + 10**9, True), (layout.READY_NS, NOW + 2 * 10**9, False),
    (layout.BUSY_NS, (1 << 64) - 1, True),
])  # fmt: skip
def test_words_with_a_bound_of_their_own(word: int, value: int, believed: bool) -> None:
    """A queue that does not tell is no garbage; nobody is ready in the future; time sums may use the whole word."""
    with served(3) as made:
        made.row(0)[word] = value

        assert can_be_true(made.written(0), NOW) is believed


@settings(max_examples=150, deadline=None)
@given(words=GARBAGE)
def test_readers_of_garbage_get_figures_that_can_be_true(words: dict[int, int]) -> None:
    """Whatever stands in the row: nothing in flight that no worker could have, and never fewer requests than before."""
    with served(3) as made:
        believed = Believed()
        believed.read(made, 0, NOW)
        scribble(made, words)
        read = believed.read(made, 0, NOW)
        now = board.activity(read, NOW)

        assert now.in_flight <= layout.CELL_COUNT + (1 << 20) and now.oldest_ns < 1 << 62
        assert board.finished(read) == 3 or not believed.doubted
        assert read[: layout.OWN_WORDS] == made.noted_all(0)


@settings(max_examples=100, deadline=None)
@given(words=GARBAGE)
def test_the_slot_of_a_scribbler_goes_on_from_the_last_figures_believed(words: dict[int, int]) -> None:
    """Its row is settled without an overflow, and the next worker starts with a row that can be true."""
    with served(3) as made:
        believed = Believed()
        believed.read(made, 0, NOW)
        scribble(made, words)
        board.reclaim(made, 0, believed.read(made, 0, NOW), NOW)
        again = Believed()
        after = again.read(made, 0, NOW)

        assert (again.doubted, after[layout.PID], after[layout.READY_NS]) == (set(), 0, 0)


@settings(max_examples=100, deadline=None)
@given(words=GARBAGE)
def test_pages_of_the_exporter_are_made_of_what_can_be_true(words: dict[int, int]) -> None:
    """They are written, they are finite, and a doubted worker's figures are missing instead of 0."""
    with served(3) as made:
        source = BoardSource(made)
        source.rows()
        scribble(made, words)
        reading = source.rows()
        text = render.exposition(a_document(), reading, render.Format.TEXT).decode()
        page = health.status_json(a_document(), reading, time.monotonic(), 30.0)
        row = reading.rows[0]
        doubted = bool(source.believed.doubted)

        assert all(math.isfinite(float(line.rsplit(" ", 1)[1])) for line in text.splitlines() if line[0] != "#")
        assert json.dumps(page, allow_nan=False)
        assert not doubted or (row.state, row.in_flight, row.requests) == (WorkerState.UNKNOWN, None, None), row


def test_a_doubted_worker_still_serves_as_far_as_anybody_can_tell() -> None:
    """A readiness probe must not take the pod out of service for it."""
    with served(3) as made:
        source = BoardSource(made)
        scribble(made, EVERY_WORD)

        assert health.unready(a_document(), source.rows()) is None


def test_totals_of_all_slots_do_not_fall_when_one_is_doubted() -> None:
    """A histogram that goes down looks like a restart, and its rate like a burst."""
    with served(3) as made:
        source = BoardSource(made)
        before = source.rows().durations
        scribble(made, EVERY_WORD)

        assert source.rows().durations == before
