"""The load generator measures from the schedule, counts what fails, and stays on this host and within bounds."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from benchmarks.openloop import (
    Phase,
    RefusedError,
    Request,
    Run,
    Target,
    parse_phases,
    parse_target,
    run,
    schedule,
    summarise,
    time_back_under,
)
from benchmarks.openloop.__main__ import main
from benchmarks.openloop.response import BadResponseError, ResponseReader

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def a_server(answer: Answer, path: str | None = None) -> AsyncIterator[Target]:
    """A loopback server that calls `answer` for each request, again and again on a connection left open."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                await reader.readuntil(b"\r\n\r\n")
                await answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await (asyncio.start_unix_server(serve, path) if path else asyncio.start_server(serve, "127.0.0.1", 0))
    try:
        yield Target(path) if path else Target(server.sockets[0].getsockname()[:2])
    finally:
        server.close()
        await server.wait_closed()


async def answer_ok(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer 200 at once."""
    writer.write(OK)


def load(answer: Answer, rate: str, **options: object) -> Run:
    """The run of `rate` against a server that answers so."""

    async def both() -> Run:
        async with a_server(answer) as target:
            return await run(target, parse_phases(rate), **options)

    return asyncio.run(both())


def a_request(at: float, latency: float = 0.01, error: str | None = None, lateness: float = 0.0) -> Request:
    """A request answered 200 after `latency`, or failed with `error`."""
    return Request(at, lateness, latency, None if error else 200, error)


def a_run(*requests: Request) -> Run:
    """A run with these records."""
    return Run("http://127.0.0.1:1/", "GET", (Phase(1, 1),), "even", 0, requests)


@pytest.mark.parametrize(
    "text",
    [
        "http://example.com/",
        "http://localhost:8000/",
        "http://10.0.0.1/",
        "http://0.0.0.0:8000/",
        "http://[::2]/",
        "http://[::ffff:127.0.0.1]/",
        "http://127.0.0.1@192.0.2.1/",
        "http://127.0.0.1.example.com/",
        "https://127.0.0.1/",
        "http://127.0.0.1:99999/",
        "127.0.0.1:8000",
        "unix:",
    ],
)
def test_a_target_off_this_host_is_refused_in_one_line_with_exit_code_2(text, capsys):
    """Only 127.0.0.0/8, ::1 and unix sockets are loaded; names are not even looked up."""
    code = main([text, "--rate", "1:1"])

    assert code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_target_built_by_hand_is_checked_too():
    """The refusal sits in the target itself, so importing the generator does not get around it."""
    with pytest.raises(RefusedError, match=r"target host = 192\.0\.2\.1, must be in"):
        Target(("192.0.2.1", 80))


def test_a_path_cannot_carry_a_second_request():
    """Bytes that would end the request line are refused."""
    with pytest.raises(RefusedError, match="printable ASCII"):
        Target(("127.0.0.1", 80), "/ HTTP/1.1\r\nX: y")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://127.0.0.1:8000/io?ms=100", "http://127.0.0.1:8000/io?ms=100"),
        ("http://127.9.9.9", "http://127.9.9.9:80/"),
        ("http://[::1]:8000/", "http://[::1]:8000/"),
        ("unix:/run/site.sock", "unix:/run/site.sock:/"),
        ("unix:/run/site.sock:/io?ms=1", "unix:/run/site.sock:/io?ms=1"),
    ],
)
def test_loopback_and_unix_targets_are_taken(text, shown):
    """Every way to write a target on this host is understood."""
    assert shown == str(parse_target(text))


@pytest.mark.parametrize(
    "rate", ["", "10", "10:", "-1:5", "a:5", "10:5,", "nan:1", "100000:6", "9999999999:1", "1:3601", "0:5", "10:0"]
)
def test_a_rate_without_sense_or_beyond_the_bounds_is_refused(rate):
    """At most 500,000 requests and 3,600 s, at least one request, and numbers only."""
    with pytest.raises(RefusedError, match=r"^rate"):
        schedule(parse_phases(rate))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"method": "DELETE"}, "method = DELETE"),
        ({"timeout_seconds": 0}, "timeout = 0"),
        ({"timeout_seconds": 601}, "timeout = 601"),
        ({"max_open": 4001}, "max-open = 4001"),
        ({"max_open": 5, "keepalive": 6}, "keepalive = 6"),
    ],
)
def test_an_option_out_of_bounds_is_refused_by_name(options, named):
    """The refusal names the option as written and its value."""
    with pytest.raises(RefusedError, match=f"^{named}, must be"):
        asyncio.run(run(Target(("127.0.0.1", 9)), [Phase(1, 1)], **options))


def test_arrivals_are_evenly_spaced_phase_after_phase():
    """A phase begins where the one before it ends, whatever the rates."""
    assert schedule([Phase(2, 1), Phase(4, 1)]) == [0.0, 0.5, 1.0, 1.25, 1.5, 1.75]


def test_a_phase_at_rate_zero_is_a_pause():
    """Nothing is sent in it, and the next phase begins after it."""
    assert schedule([Phase(1, 1), Phase(0, 2), Phase(1, 1)]) == [0.0, 3.0]


def test_poisson_arrivals_come_from_the_seed():
    """The same seed gives the same arrivals, within the phase and about as many as asked for."""
    moments = schedule([Phase(1000, 2)], poisson=True, seed=7)

    assert moments == schedule([Phase(1000, 2)], poisson=True, seed=7)
    assert moments != schedule([Phase(1000, 2)], poisson=True, seed=8)
    assert moments == sorted(moments)
    assert 0 < moments[0] < moments[-1] < 2
    assert 1800 < len(moments) < 2200


def test_latency_counts_from_the_scheduled_moment():
    """Behind a server that takes one request at a time, each waits for all before it, and says so."""
    service_seconds = 0.03
    one_at_a_time: list[asyncio.Lock] = []

    async def answer(_, writer):
        if not one_at_a_time:
            one_at_a_time.append(asyncio.Lock())
        async with one_at_a_time[0]:
            await asyncio.sleep(service_seconds)
        writer.write(OK)

    result = load(answer, "100:0.2")

    # 20 requests in 0.2 s, each 0.03 s of work: the last, scheduled at 0.19 s, is answered no sooner than at 0.6 s.
    assert summarise(result)["ok"] == 20
    assert result.requests[-1].latency_seconds >= 20 * service_seconds - 0.19
    assert result.requests[0].latency_seconds < result.requests[-1].latency_seconds


def test_requests_leave_on_schedule_though_no_answer_comes():
    """Open loop: the answers all wait for the last request, which leaves nevertheless."""
    arrived = []

    async def answer(_, writer):
        arrived.append(writer)
        if len(arrived) == 10:
            for waiting in arrived:
                waiting.write(OK)

    assert summarise(load(answer, "100:0.1"))["ok"] == 10


def test_failures_are_counted_by_kind():
    """An error status, an early close, a broken answer and silence each have their own name."""
    turns = iter(["ok", "503", "close", "nonsense", "silence"])

    async def answer(reader, writer):
        turn = next(turns)
        if turn == "ok":
            writer.write(OK)
        elif turn == "503":
            writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        elif turn == "close":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
            writer.close()
        elif turn == "nonsense":
            writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        else:
            await reader.read()

    summary = summarise(load(answer, "20:0.25", timeout_seconds=2.0))

    assert summary["failed_by_kind"] == {"status 503": 1, "closed early": 1, "bad response": 1, "timeout": 1}
    assert (summary["sent"], summary["ok"], summary["failed"]) == (5, 1, 4)


def test_a_port_nobody_listens_on_counts_as_refused():
    """A refused connection is a failed request, not a crash."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))

        result = asyncio.run(run(Target(bound.getsockname()), [Phase(50, 0.1)]))

    assert summarise(result)["failed_by_kind"] == {"refused": 5}


def test_a_full_unix_backlog_is_a_failure_of_its_own(tmp_path):
    """A unix socket refuses at once when its queue is full, where TCP would let the client wait."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen(1)

        result = asyncio.run(run(Target(str(tmp_path / "s")), [Phase(50, 0.2)], timeout_seconds=0.3))

    # A backlog of 1 takes 2 connections on Linux, and nobody answers them.
    assert summarise(result)["failed_by_kind"] == {"backlog full": 8, "timeout": 2}


def test_a_unix_socket_answers_like_a_port(tmp_path):
    """unix:/path targets are loaded in the same way."""

    async def both() -> Run:
        async with a_server(answer_ok, str(tmp_path / "s")) as target:
            return await run(target, [Phase(50, 0.1)])

    assert summarise(asyncio.run(both()))["ok"] == 5


def test_connections_beyond_the_bound_are_not_opened_and_counted_as_not_sent():
    """With three connections at most and a server that is silent, the fourth request stays here and fails."""

    async def answer(reader, writer):
        await reader.read()

    summary = summarise(load(answer, "100:0.1", max_open=3, timeout_seconds=2.0))

    assert summary["failed_by_kind"] == {"not sent": 7, "timeout": 3}
    assert (summary["scheduled"], summary["sent"]) == (10, 3)


def peers_of(rate: str, **options: object) -> tuple[Run, set[object]]:
    """The run, and the client addresses its server saw."""
    peers = set()

    async def answer(_, writer):
        peers.add(writer.get_extra_info("peername"))
        writer.write(OK)

    return load(answer, rate, **options), peers


def test_each_request_has_its_own_connection_unless_told_otherwise():
    """New connections by default, as from many visitors."""
    result, peers = peers_of("50:0.2")

    assert 10 == summarise(result)["ok"] == len(peers)


def test_keepalive_reuses_idle_connections():
    """One after the other, requests share a kept connection."""
    result, peers = peers_of("20:0.3", keepalive=2)

    overlapping = sum(one.lateness_seconds > 0.04 for one in result.requests)
    assert summarise(result)["ok"] == 6
    assert len(peers) <= 2 + overlapping


def test_a_kept_connection_that_the_server_closed_is_not_used_again():
    """The close of an idle connection is seen, and the next request opens another."""

    async def answer(_, writer):
        writer.write(OK)
        writer.close()

    assert summarise(load(answer, "20:0.2", keepalive=1))["ok"] == 4


def test_a_post_carries_its_body():
    """--method POST sends the body with its length."""
    bodies = []

    async def answer(reader, writer):
        bodies.append(await reader.readexactly(len(b"text=hello")))
        writer.write(OK)

    assert summarise(load(answer, "20:0.1", method="POST", body=b"text=hello"))["ok"] == 2
    assert bodies == [b"text=hello"] * 2


RESPONSES = {
    "content-length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n0\r\n\r\n\r\n0\r\n\r\n",
    "chunked with trailer": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nA: b\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "after a 100": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("response", RESPONSES.values(), ids=RESPONSES)
@pytest.mark.parametrize("step", [1, 3, 1000])
def test_a_response_ends_with_its_last_byte_however_it_is_cut(response, step):
    """Neither sooner nor later, in pieces of any size."""
    reader = ResponseReader()
    for i in range(0, len(response), step):
        assert not reader.done
        reader.feed(response[i : i + step])

    assert reader.done
    assert reader.reusable


def test_a_response_of_unknown_length_ends_with_the_connection():
    """Without a length only the server's close tells the end."""
    reader = ResponseReader()
    reader.feed(b"HTTP/1.1 200 OK\r\n\r\nsome")
    assert not reader.done

    reader.end()

    assert reader.done
    assert not reader.reusable


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"x" * 70_000,
    ],
)
def test_bytes_that_are_no_response_are_told_apart(data):
    """The reader raises instead of waiting or guessing."""
    with pytest.raises(BadResponseError):
        ResponseReader().feed(data)


def test_percentiles_are_values_that_were_seen():
    """Nearest rank: no number is reported that no request had."""
    summary = summarise(a_run(*(a_request(i / 100, latency=i / 100) for i in range(1, 101))))

    assert summary["latency_seconds"] == {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}


def test_the_series_groups_by_the_scheduled_second():
    """A request belongs to the second it was meant for, however long it took."""
    series = summarise(a_run(a_request(0.1, 5.0), a_request(0.9, 0.2), a_request(2.0, error="timeout")))["per_second"]

    assert series == [
        {"second": 0, "count": 2, "p95_seconds": 5.0, "failed": 0},
        {"second": 2, "count": 1, "p95_seconds": None, "failed": 1},
    ]


@pytest.mark.parametrize(("lateness", "valid"), [(0.05, True), (0.051, False)])
def test_a_run_stands_only_if_the_generator_kept_time(lateness, valid):
    """More than 50 ms late at the p99 and the generator has measured itself."""
    assert valid is summarise(a_run(a_request(0.0, lateness=lateness)))["valid"]


def a_series(*spans: tuple[float, float]) -> list[Request]:
    """100 requests a second, the latency of each span up to its end."""
    requests = []
    for until, latency in spans:
        requests += [a_request(i / 100, latency) for i in range(len(requests), round(until * 100))]
    return requests


def test_time_back_under_is_when_the_rolling_p95_drops_for_good():
    """Slow from 1 s to 3 s: with 5 % of a half second forgiven, all is well 2 requests before 3 s."""
    assert time_back_under(a_series((1, 0.01), (3, 1.0), (6, 0.01)), 0.25, after_offset=1.0) == 2.98


def test_time_back_under_starts_over_at_a_relapse():
    """A short good while in between does not count."""
    assert time_back_under(a_series((1, 1.0), (3, 0.01), (5, 1.0), (8, 0.01)), 0.25) == 4.98


def test_time_back_under_is_the_offset_itself_when_all_is_well():
    """Nothing to come back from: the answer is the moment asked about."""
    assert time_back_under(a_series((3, 0.01)), 0.25, after_offset=1.234) == 1.234


@pytest.mark.parametrize(
    "requests",
    [
        [],
        a_series((2, 1.0)),
        a_series((2, 0.01), (3, 1.0)),
        [*a_series((2, 0.01)), *(a_request(2 + i / 100, error="reset") for i in range(50))],
        [a_request(0.0), a_request(0.4), a_request(0.8, 9.0)],
    ],
    ids=["empty", "always slow", "slow at the end", "failed at the end", "sparse"],
)
def test_time_back_under_is_none_when_it_is_never_well_again(requests):
    """Failed requests count as endlessly slow, and the end of the run must be good."""
    assert time_back_under(requests, 0.25) is None


def test_the_command_prints_json_for_programs_and_a_table_for_people(capsys, monkeypatch):
    """Both tell the same run; the exit code says that it stands."""

    async def both(*arguments: str) -> int:
        async with a_server(answer_ok) as target:
            return await asyncio.to_thread(main, [str_of(target), "--rate", "20:0.2", *arguments])

    def str_of(target: Target) -> str:
        return f"http://127.0.0.1:{target.address[1]}/"

    monkeypatch.setattr("benchmarks.openloop.results.MAX_LATENESS_SECONDS", 60.0)  # else a busy host gives exit code 1
    codes = asyncio.run(both("--json", "--back-under", "5"))
    summary = json.loads(capsys.readouterr().out)
    codes += asyncio.run(both())
    table = capsys.readouterr().out

    assert codes == 0
    assert (summary["sent"], summary["ok"], summary["back_under_seconds"]) == (4, 4, 0.0)
    assert "sent 4 of 4   ok 4   failed 0" in table


def test_a_cancelled_run_closes_its_connections():
    """Whoever stops a run early is left with no open socket and no timer at work."""

    async def cancel() -> bytes:
        gone = asyncio.get_running_loop().create_future()
        began = asyncio.Event()

        async def answer(reader, writer):
            began.set()
            gone.set_result(await reader.read())

        async with a_server(answer) as target:
            task = asyncio.create_task(run(target, [Phase(1, 1)]))
            await began.wait()
            task.cancel()
            return await asyncio.wait_for(gone, 5)

    assert asyncio.run(cancel()) == b""
