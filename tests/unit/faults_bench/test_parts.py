"""The fault benchmark's parts: what it sends, starts, reads, and how it says what is missing."""

import ast
import asyncio
import contextlib
import io
import os
import socket
import struct
import sys
from collections import Counter
from pathlib import Path

import pytest
from benchmarks.faults import leak, proxy, recycle, soak
from benchmarks.faults.__main__ import CELLS, DEFAULT, main
from benchmarks.faults.apps import pages
from benchmarks.faults.group import MemoryGroup, joining, memory_group
from benchmarks.faults.measure import counted, ready_workers
from benchmarks.faults.options import NotRunError, Options, gunicorn_of
from benchmarks.faults.sender import BODY, Sender, seen_in
from benchmarks.faults.server import Setup, config
from benchmarks.faults.watch import Looks, exporter_of, look, processes, samples_in, sizes
from benchmarks.openloop import Target
from benchmarks.openloop.connection import KEPT

OPTIONS = Options(sys.executable, "27.0.1")
TARGET = Target(("127.0.0.1", 8000), "/", "127.0.0.1:8000")


def ignore(_line):
    """Progress nobody reads."""


def ask(method="GET", body=b"", length=None, **environ):
    """The status and body of the app for one request."""
    statuses = []
    told = {"REQUEST_METHOD": method, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": length or str(len(body))}
    answer = pages.app(told | environ, lambda status, _headers: statuses.append(status))
    return statuses[0], b"".join(answer)


def test_a_post_is_every_nth_and_each_carries_its_number():
    """64 bytes, kept alive where connections are kept."""
    sender = Sender(TARGET, [0.0] * 4, ignore, kept=2, posts_every=2)
    get, post = sender.message_of(0), sender.message_of(1)

    assert get.startswith(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nX-Number: 0\r\nConnection: keep-alive\r\n\r\n")
    assert post.startswith(b"POST / HTTP/1.1\r\n") and b"Content-Length: 64\r\n\r\n" in post and post.endswith(BODY)
    assert len(BODY) == 64


def test_pages_are_taken_in_turn():
    """The soak's mix; a new connection each."""
    sender = Sender(TARGET, [0.0] * 3, ignore, paths=("/io", "/cpu"))

    assert [sender.message_of(index).split()[1] for index in range(3)] == [b"/io", b"/cpu", b"/io"]
    assert b"Connection: close" in sender.message_of(0)


def test_a_kept_connection_cut_without_a_byte_is_told_apart():
    """The server answers once on each connection, and cuts the second request."""

    closed = []

    async def run():
        async def serve(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            with contextlib.suppress(asyncio.IncompleteReadError):
                await reader.readuntil(b"\r\n\r\n")
            writer.close()
            await writer.wait_closed()
            closed.append(writer)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        sender = Sender(Target(("127.0.0.1", port)), [0.0, 0.2, 0.4], ignore, kept=1)
        answers = await sender.drive()
        while len(closed) < 2:
            await asyncio.sleep(0.01)
        server.close()
        await server.wait_closed()
        return answers

    found = asyncio.run(run())

    assert [one.error for one in found] == [None, "closed early" + KEPT, None]


def test_numbers_that_reached_the_app_are_read_back(tmp_path):
    """Four bytes each; a file that was never made is nobody, a number cut short is none."""
    path = tmp_path / "seen"
    assert seen_in(path) == Counter()

    path.write_bytes(struct.pack("<III", 7, 8, 7) + b"\x01\x02")

    assert seen_in(path) == Counter({7: 2, 8: 1})


def test_the_app_answers_notes_and_keeps(tmp_path, monkeypatch):
    """A body that comes short is a 400; a number that is none is no number."""
    path = tmp_path / "seen"
    monkeypatch.setattr(pages, "SEEN_FILE", os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600))
    monkeypatch.setattr(pages, "KEPT_BYTES", 10)
    monkeypatch.setattr(pages, "KEPT", [])

    answers = [ask(HTTP_X_NUMBER="5")[0], ask("POST", BODY, HTTP_X_NUMBER="x")[0], ask("POST", b"abc", "64")[0]]
    os.close(pages.SEEN_FILE)

    assert answers == ["200 OK", "200 OK", "400 Bad Request"]
    assert (seen_in(path), sum(map(len, pages.KEPT))) == (Counter({5: 1}), 30)


@pytest.mark.parametrize(("v1", "names"), [
    (True, ("memory.usage_in_bytes", "total_inactive_file", "memory.max_usage_in_bytes", "memory.oom_control")),
    (False, ("memory.current", "inactive_file", "memory.peak", "memory.events")),
])  # fmt: skip
def test_a_group_is_read_in_either_hierarchy(v1, names, tmp_path):
    """The working set leaves out file pages that can be dropped; what is not there is None."""
    group = MemoryGroup(tmp_path, v1)
    assert (group.working_set_bytes(), group.peak_bytes(), group.oom_kills()) == (None, None, None)

    (tmp_path / names[0]).write_text("1000\n")
    (tmp_path / "memory.stat").write_text(f"cache 5\n{names[1]} 300\n")
    (tmp_path / names[2]).write_text("2000\n")
    (tmp_path / names[3]).write_text("oom_kill_disable 0\noom_kill 4\n")

    assert (group.working_set_bytes(), group.peak_bytes(), group.oom_kills()) == (700, 2000, 4)


def test_a_host_without_a_memory_controller_is_named(tmp_path):
    """And nothing is left behind, neither where no group nor where no limit can be made."""
    (tmp_path / f"autotune-faults-{os.getpid()}").write_text("in the way")
    for root in (tmp_path / "nothing", tmp_path):
        with pytest.raises(NotRunError, match="needs root and a"), memory_group(1 << 20, tmp_path / "none", root):
            pass


def test_a_missing_nginx_is_named(monkeypatch):
    """With what to do."""
    monkeypatch.setattr(proxy.shutil, "which", lambda *_args, **_more: None)

    with pytest.raises(NotRunError, match="nginx is not installed"):
        proxy.binary()


def test_what_nginx_says_is_counted_by_kind(tmp_path):
    """Without the connection it happened to; notices are no errors."""
    (tmp_path / "error.log").write_text(
        "2026/01/02 03:04:05 [error] 12#12: *3 recv() failed (104: Connection reset by peer) while reading response\n"
        "2026/01/02 03:04:06 [error] 12#12: *9 recv() failed (104: Connection reset by peer) while reading response\n"
        f"2026/01/02 03:04:06 [crit] 12#12: *9 connect() to unix:{tmp_path.parent}/g.sock failed while connecting\n"
        "2026/01/02 03:04:06 [alert] 12#12: 8192 worker_connections are not enough\n"
        "2026/01/02 03:04:06 [notice] 12#12: signal 15\n"
    )

    assert proxy.Proxy(None, tmp_path).errors() == {
        "recv() failed (104: Connection reset by peer)": 2,
        "connect() to unix:g.sock failed": 1,
        "8192 worker_connections are not enough": 1,
    }


def test_the_proxy_hides_nothing():
    """No second try, kept connections, closed by nginx before Gunicorn's 10 s."""
    assert "proxy_next_upstream off;" in proxy.CONFIG
    assert "keepalive 32; keepalive_timeout 4s; keepalive_time 2s;" == proxy.POOL


@pytest.mark.parametrize("made", [
    *(leak.setup(name) for name in leak.TITLES),
    *(recycle.setup(name, who) for name in recycle.COMBINATIONS for who in recycle.WHO),
])  # fmt: skip
def test_every_configuration_is_python_and_native_ones_only_observe(made, tmp_path):
    """Gunicorn's own way is measured with the same sensor, which must not act."""
    text = config(made, tmp_path, "127.0.0.1:1", 2, MemoryGroup(Path("/group"), True))

    ast.parse(text)
    assert "open('/group/cgroup.procs', 'w')" in text
    assert made.settings.get("mode") == "observe" or "min_workers" in made.settings
    assert joining(None) == []


def test_a_setting_this_autotune_lacks_is_named():
    """The run is marked, not half-counted."""
    with pytest.raises(NotRunError, match="has no setting no_such_setting"):
        recycle.checked(Setup((), {"mode": "observe", "no_such_setting": 1}, {}))


def test_the_version_is_asked_of_the_interpreter():
    """The one whose Gunicorn is measured."""
    import gunicorn

    assert gunicorn_of(sys.executable) == gunicorn.__version__


def test_a_last_line_cut_short_is_no_sample():
    """Nor is anything else that is not a look."""
    assert samples_in('{"at": 1}\n[2]\n"x"\n{"no": 1}\n{"at": 3') == [{"at": 1}]


def test_looking_at_nothing_gives_nothing():
    """No exporter, no group, no process: None, and no exception."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    seen = look(Looks(port, 0, group="/no/such/group", v1=True))

    assert (seen["ready"], seen["memory_bytes"]) == (None, None)
    assert set(sizes(None).values()) == {None}
    assert exporter_of(0) is None


def test_processes_are_looked_at_in_full():
    """This one stands in for an arbiter without an exporter."""
    seen = processes(Looks(0, os.getpid()))

    assert set(soak.SERIES) - {"flight_record_bytes"} <= set(seen)
    assert seen["arbiter_fds"] > 2 and seen["arbiter_uss_bytes"] > 0 and seen["exporter_fds"] is None


def test_an_exporter_that_did_not_answer_gives_no_counts():
    """None, not zero recycles."""
    before = {"exits": {"recycle_age": 1}, "decisions": {"hold/steady": 1}}
    after = {"exits": {"recycle_age": 3, "recycle_requests": 1, "signal": 1}, "decisions": {"hold/steady": 9}}

    assert counted(None, after)["recycles"] is None
    assert counted(before, after) == {
        "exits": {"recycle_age": 2, "recycle_requests": 1, "signal": 1}, "recycles": 3, "resizes": {},
    }  # fmt: skip


def test_the_lower_of_both_counts_of_ready_workers_is_told():
    """Hooks are exact, looks know who drains."""
    looks = [{"at": 2.0, "ready": 3}, {"at": 2.1, "ready": None}, {"at": 9.0, "ready": 0}]

    assert ready_workers("1.0 up 5\n1.0 up 6\n", looks, 1.5, 5.0)["lowest_ready"] == 2
    assert ready_workers("", looks, 1.5, 5.0)["lowest_ready"] == 3
    assert ready_workers("", [], 1.5, 5.0)["lowest_ready"] is None


def test_the_plan_is_within_what_was_promised():
    """Leak about 20 min, recycles under 40, over 100,000 requests with ours."""
    assert 20 <= leak.minutes(OPTIONS) <= 22
    assert recycle.minutes(OPTIONS) < 40
    assert len(recycle.COMBINATIONS) * recycle.seconds_of(OPTIONS) * recycle.RATE >= 100_000
    assert max(CELLS[name].minutes(Options("", "", quick=True)) for name in DEFAULT) < 7


def test_a_day_fits_into_any_soak():
    """The same arrivals for the same seed, from night to noon."""
    moments = soak.moments_of(90.0, 1)

    assert moments == soak.moments_of(90.0, 1) and moments == sorted(moments)
    assert soak.LOW * 90 < len(moments) < soak.PEAK * 90


def test_an_interrupt_keeps_the_cells_that_had_ended(monkeypatch, capsys):
    """Exit code 130, and what was measured is printed."""

    class Ends:
        """A cell that somebody interrupts."""

        minutes = staticmethod(lambda _options: 1.0)

        @staticmethod
        def run(_options, _tell):
            raise KeyboardInterrupt

    class Lacks(Ends):
        """A cell that cannot run."""

        @staticmethod
        def run(_options, _tell):
            raise NotRunError("no such thing here")

    monkeypatch.setitem(CELLS, "leak", Lacks)
    monkeypatch.setitem(CELLS, "recycle", Ends)

    assert main(["--cells", "leak,recycle"]) == 130
    assert "leak: not run: no such thing here" in capsys.readouterr().out
