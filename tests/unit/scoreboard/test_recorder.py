"""What a worker writes is what a reader reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from gunicorn_autotune.model.snapshot import DURATION_BOUNDS_SECONDS, QUEUE_TIME_BOUNDS_SECONDS
from gunicorn_autotune.scoreboard import board, layout, recorder
from gunicorn_autotune.scoreboard.board import Board
from gunicorn_autotune.scoreboard.recorder import Recorder

OK = SimpleNamespace(status_code=200)
MS = 1_000_000


class Clock:
    """Monotonic nanoseconds that a test moves by hand."""

    def __init__(self) -> None:
        self.now_ns = 1_000 * MS

    def __call__(self) -> int:
        """Now."""
        return self.now_ns

    def pass_ms(self, milliseconds: float) -> None:
        """Let time pass."""
        self.now_ns += int(milliseconds * MS)


@pytest.fixture
def small_board() -> Iterator[Board]:
    """A board of four rows."""
    made = board.create(layout.Shape(rows=4, status_bytes=4096))
    yield made


@pytest.fixture
def clock() -> Clock:
    """A hand-moved clock."""
    return Clock()


KINDS: list[Callable[[memoryview, Callable[[], int]], Recorder]] = [
    recorder.single,
    recorder.threaded,
    recorder.overlapping,
    lambda row, clock: recorder.locked(recorder.overlapping(row, clock)),
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_running_request_counts_as_busy_before_it_ends(
    kind: Callable[..., Recorder], small_board: Board, clock: Clock
) -> None:
    """Busy time grows while a request runs, not when it ends (uwsgi#1463 measured the other way)."""
    row = small_board.row(0)
    kind(row, clock).begin(None, object())
    clock.pass_ms(250)

    assert board.activity(row.tolist(), clock()).busy_ns == 250 * MS


@pytest.mark.parametrize("kind", KINDS)
def test_a_finished_request_is_counted_once_with_its_duration(
    kind: Callable[..., Recorder], small_board: Board, clock: Clock
) -> None:
    """After the end: nothing in flight, one finished, its duration in busy and service time."""
    row, request = small_board.row(0), object()
    pen = kind(row, clock)
    pen.begin(None, request)
    clock.pass_ms(30)
    pen.end(None, request, {}, OK)
    clock.pass_ms(500)
    words = row.tolist()

    assert (
        board.activity(words, clock()).in_flight,
        board.finished(words),
        board.activity(words, clock()).busy_ns,
        board.service_ns(words),
    ) == (
        0,
        1,
        30 * MS,
        30 * MS,
    )


def test_overlapping_requests_add_up(small_board: Board, clock: Clock) -> None:
    """Two requests at once for 10 ms and one for 5 ms more are 25 ms of busy time."""
    row, first, second = small_board.row(0), object(), object()
    pen = recorder.overlapping(row, clock)
    pen.begin(None, first)
    pen.begin(None, second)
    clock.pass_ms(10)
    pen.end(None, first, {}, OK)
    clock.pass_ms(5)

    assert board.activity(row.tolist(), clock()).busy_ns == 25 * MS


def test_the_oldest_running_request_is_known(small_board: Board, clock: Clock) -> None:
    """When the first of two ends, the second becomes the oldest."""
    row, first, second = small_board.row(0), object(), object()
    pen = recorder.overlapping(row, clock)
    pen.begin(None, first)
    clock.pass_ms(10)
    pen.begin(None, second)
    second_started_ns = clock()
    clock.pass_ms(10)
    pen.end(None, first, {}, OK)

    assert board.activity(row.tolist(), clock()).oldest_ns == second_started_ns


def test_the_first_stays_the_oldest_while_it_runs(small_board: Board, clock: Clock) -> None:
    """Alone, beside a second one, and when that one has ended."""
    row, first, second = small_board.row(0), object(), object()
    pen = recorder.overlapping(row, clock)
    started_ns, seen = clock(), []
    for change in (lambda: pen.begin(None, first), lambda: pen.begin(None, second),
                   lambda: pen.end(None, second, {}, OK)):  # fmt: skip
        change()
        clock.pass_ms(10)
        seen.append(board.activity(row.tolist(), clock()).oldest_ns)

    assert [started_ns] * 3 == seen


@pytest.mark.parametrize(
    ("response", "status_class"),
    [
        (SimpleNamespace(status_code=42), 0),
        (SimpleNamespace(status_code=101), 0),
        (SimpleNamespace(status_code=204), 1),
        (SimpleNamespace(status_code=302), 2),
        (SimpleNamespace(status_code=499), 3),
        (SimpleNamespace(status_code=503), 4),
        (SimpleNamespace(status_code=None), 4),
        (SimpleNamespace(status_code=12345), 4),
        (None, 4),
    ],
)
def test_the_status_class_of_an_answer_chooses_its_histogram(
    response: object, status_class: int, small_board: Board, clock: Clock
) -> None:
    """No answer, or one without a status, is a 5xx: the client saw an error."""
    row = small_board.row(0)
    pen = recorder.single(row, clock)
    pen.begin(None, None)
    clock.pass_ms(1)
    pen.end(None, None, {}, response)
    first = layout.DURATION_FIRSTS[status_class]

    assert sum(row.tolist()[first : first + layout.DURATION_BUCKET_COUNT]) == 1


def test_a_duration_on_a_bound_belongs_to_that_bucket(small_board: Board, clock: Clock) -> None:
    """Prometheus buckets are `le`: less than or equal."""
    row = small_board.row(0)
    pen = recorder.single(row, clock)
    pen.begin(None, None)
    clock.pass_ms(100)
    pen.end(None, None, {}, OK)
    bucket = layout.DURATION_BOUNDS_NS.index(100 * MS)

    assert row[layout.DURATION_FIRSTS[1] + bucket] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_end_without_a_begin_changes_nothing(
    kind: Callable[..., Recorder], small_board: Board, clock: Clock
) -> None:
    """Gunicorn runs post_request even when a user's pre_request raised."""
    row = small_board.row(0)
    before = row.tolist()
    kind(row, clock).end(None, object(), {}, OK)

    assert row.tolist() == before


@pytest.mark.parametrize("kind", KINDS)
def test_the_next_worker_in_a_slot_goes_on_counting(
    kind: Callable[..., Recorder], small_board: Board, clock: Clock
) -> None:
    """Counters survive the worker: nothing goes down when one is recycled."""
    row = small_board.row(0)
    for _ in range(3):
        pen, request = kind(row, clock), object()
        pen.begin(None, request)
        clock.pass_ms(10)
        pen.end(None, request, {}, OK)
        board.reclaim(small_board, 0, small_board.words(0), clock())
    words = row.tolist()

    assert (board.finished(words), board.activity(words, clock()).busy_ns) == (3, 30 * MS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_that_dies_with_its_worker_stays_counted(
    kind: Callable[..., Recorder], small_board: Board, clock: Clock
) -> None:
    """Reclaiming the row of a killed worker settles what it was doing: started and busy, never finished."""
    row = small_board.row(0)
    kind(row, clock).begin(None, object())
    clock.pass_ms(40)
    board.reclaim(small_board, 0, small_board.words(0), clock())
    clock.pass_ms(1000)
    words = small_board.words(0)

    assert (words[layout.LOST], board.activity(words, clock()).in_flight, board.activity(words, clock()).busy_ns) == (
        1,
        0,
        40 * MS,
    )


def test_more_threads_than_cells_is_served_unmeasured_not_refused(small_board: Board, clock: Clock) -> None:
    """A thread pool of the user's own may have more threads than the row has cells; no request may fail for that."""
    from threading import Thread

    pen = recorder.threaded(small_board.row(0), clock)
    errors: list[BaseException] = []

    def one_request() -> None:
        try:
            pen.begin(None, object())
            pen.end(None, object(), {}, OK)
        except BaseException as error:
            errors.append(error)

    started = [Thread(target=one_request) for _ in range(3 * layout.CELL_COUNT)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()

    assert errors == []


LONG = layout.LONG_NS // MS


def held(row: memoryview, clock: Clock) -> int:
    """Long-lived connections, as a reader sees them now."""
    words = row.tolist()
    return board.held(words, board.activity(words, clock.now_ns), clock.now_ns)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("milliseconds", "count"), [(LONG - 1, 0), (LONG, 1)])
def test_a_request_that_runs_for_long_is_held(
    kind: Callable[..., Recorder], milliseconds: int, count: int, small_board: Board, clock: Clock
) -> None:
    """From five seconds on, before the worker has counted, and until it ends."""
    row, request = small_board.row(0), object()
    pen = kind(row, clock)
    pen.begin(None, request)
    clock.pass_ms(milliseconds)
    during = held(row, clock)
    pen.end(None, request, None, OK)

    assert (during, held(row, clock)) == (count, 0)


def test_a_worker_without_cells_counts_its_long_requests(small_board: Board, clock: Clock) -> None:
    """Two of three; the young one is no stream yet."""
    row, requests = small_board.row(0), [object() for _ in range(3)]
    pen = recorder.overlapping(row, clock)
    pen.begin(None, requests[0])
    pen.begin(None, requests[1])
    clock.pass_ms(LONG)
    pen.begin(None, requests[2])
    assert pen.count_long is not None
    pen.count_long()

    assert held(row, clock) == 2


def test_never_more_are_held_than_run(small_board: Board, clock: Clock) -> None:
    """What the worker counted a second ago may have ended."""
    row, requests = small_board.row(0), [object() for _ in range(3)]
    pen = recorder.overlapping(row, clock)
    for request in requests:
        pen.begin(None, request)
    clock.pass_ms(LONG)
    assert pen.count_long is not None
    pen.count_long()
    for request in requests[:2]:
        pen.end(None, request, None, OK)

    assert held(row, clock) == 1


def test_websockets_are_held_from_the_start(small_board: Board, clock: Clock) -> None:
    """They are no requests, and add to those that run for long."""
    row = small_board.row(0)
    recorder.single(row, clock).begin(None, object())
    clock.pass_ms(LONG)
    row[layout.WEBSOCKETS] = 4

    assert held(row, clock) == 5


@pytest.mark.parametrize(("runs", "milliseconds"), [(False, 300), (True, 0)])
def test_a_connection_without_a_request_is_silent(
    runs: bool, milliseconds: int, small_board: Board, clock: Clock
) -> None:
    """Since its accept, until its request begins."""
    row = small_board.row(0)
    row[layout.ACCEPTED_NS] = clock()
    if runs:
        recorder.single(row, clock).begin(None, object())
    clock.pass_ms(300)
    words = row.tolist()

    assert board.silent_ns(words, board.activity(words, clock.now_ns), clock.now_ns) == milliseconds * MS


def test_the_next_worker_in_a_slot_holds_nothing(small_board: Board) -> None:
    """Nor is it granted anything."""
    row = small_board.row(0)
    words = (layout.WEBSOCKETS, layout.LONG_REQUESTS, layout.ACCEPTED_NS, layout.GRACE_SECONDS)
    for word in words:
        row[word] = 7
    board.reclaim(small_board, 0, small_board.words(0), 10)

    assert [row[word] for word in words] == [0, 0, 0, 0]


def test_bounds_in_the_rows_are_those_of_the_metrics() -> None:
    """In nanoseconds."""
    assert [bound / 1e9 for bound in layout.QUEUE_BOUNDS_NS] == list(QUEUE_TIME_BOUNDS_SECONDS)
    assert [bound / 1e9 for bound in layout.DURATION_BOUNDS_NS] == list(DURATION_BOUNDS_SECONDS)
