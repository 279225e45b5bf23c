"""The chaos soak's accounts: what is explained, what is not, and that nothing wrong balances."""

import copy
import json
import random
import socket
import threading
import time
from types import SimpleNamespace

import pytest
from benchmarks.faults import __main__ as command_line
from benchmarks.faults.chaos import accounts, disturbances
from benchmarks.faults.chaos.accounts import KERNEL, KILLED, NO_ROOM, UNEXPLAINED, UNREAD, Kills
from benchmarks.faults.chaos.cell import killed_by_kernel, pids_in
from benchmarks.faults.chaos.disturbances import TABLE, Disturbance, Disturber, Done
from benchmarks.faults.chaos.limits import Limits
from benchmarks.faults.chaos.scrapes import RISING, Scraper, longest_gap, samples_of, total, wrongs
from benchmarks.faults.chaos.streams import Cut, Streams
from benchmarks.faults.page import page
from benchmarks.openloop import Request

KILLS = Kills({11: 100.0}, frozenset({22}))
CUT = Done(50.0, "processes cut", None, 56.0)
PART = {
    "taken": "2026-01-02T03:04:05+00:00", "took_seconds": 90.0, "load_averages": [0.1, 0.9], "note": "",
    "command": "python -m benchmarks.faults --cells chaos --seed 7",
    "machine": {"cores": "2", "cpu": "a processor", "python": "CPython 3.11", "gunicorn": "27.0.1"},
    "seconds": 1800.0, "seed": 7, "requests": 1000, "answered": 990, "lost": {KILLED: 10}, "examples": [],
    "counted": {"requests": 1000, "durations": 1000, "app": 995, "jobs": 390},
    "jobs": {"answered": 388, "sent": 400}, "streams": {"opened": 50, "left": 48, "cut": {KILLED: 2}},
    "exits": {"signal": 3, "reload": 8}, "disturbances": dict.fromkeys((one.name for one in TABLE), 3),
    "kernel_kills": 0, "oom_kills": 0, "spawned": 14, "ended": 11, "alive": 3, "scrapes": 3600, "failed_scrapes": 4,
    "longest_gap_seconds": 2.1, "counters": 228, "counters_wrong": [], "scrapes_unexplained": [], "missed": ["recycle"],
    "growth": {name: {"first": 10, "last": 11, "more_allowed": 2, "flat": True} for name in accounts.GROWING},
    "arbiter_exit_code": 0, "left_behind": [], "metric_files_most": 28,
}  # fmt: skip


def a_part(*path, value=None):
    """PART, with one figure changed."""
    part = copy.deepcopy(PART)
    if path:
        place = part
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value
    return part


@pytest.mark.parametrize(
    ("request_", "ended", "pids", "forks", "cause"),
    [
        (Request(0, 0, 1, None, "reset"), 100.1, [11], False, KILLED),
        (Request(0, 0, 1, None, "reset"), 99.9, [11], False, KILLED),
        (Request(0, 0, 1, None, "reset"), 10.0, [11], False, UNEXPLAINED),
        (Request(0, 0, 1, 500), 100.1, [11], False, UNEXPLAINED),
        (Request(0, 0, 1, None, "closed early"), 100.1, [22], False, KERNEL),
        (Request(0, 0, 1, None, "reset"), 100.1, [], False, UNREAD),
        (Request(0, 0, 1, None, "reset"), 99.9, [], False, UNEXPLAINED),
        (Request(0, 0, 1, None, "reset"), 102.0, [], False, UNEXPLAINED),
        (Request(0, 0, 1, None, "reset"), 100.1, [33], False, UNEXPLAINED),
        (Request(0, 0, 1, 503), 52.0, [33], True, NO_ROOM),
        (Request(0, 0, 1, 503), 52.0, [33], False, UNEXPLAINED),
        (Request(0, 0, 1, 503), 58.0, [33], True, UNEXPLAINED),
        (Request(0, 0, 1, 500), 100.1, [], True, UNEXPLAINED),
    ],
)
def test_a_lost_request_is_explained_by_a_kill_of_its_own_worker_or_not_at_all(request_, ended, pids, forks, cause):
    """A kill elsewhere, or a limit that was not cut then, explains nothing."""
    assert accounts.lost_to(request_, ended, pids, KILLS, [CUT], forks) == cause


def test_lost_requests_are_counted_by_cause_and_the_unexplained_are_told():
    """Numbers go with the paths in turn."""
    requests = [Request(0.0, 0.0, 0.1, 200), Request(1.0, 0.0, 0.1, 500), Request(2.0, 0.0, 0.1, None, "reset")]

    found = accounts.requests_lost(requests, 98.0, ("/", "/fork"), {1: [33], 2: [11]}, KILLS, [])

    assert found["lost"] == {UNEXPLAINED: 1, KILLED: 1}
    assert found["examples"] == ["/fork at 1.00 s: status 500 after 0.10 s, begun by 33"]


def test_a_long_connection_is_cut_by_who_killed_its_worker():
    """Nobody else may end one."""
    cuts = [Cut(100.0, pid, 3.0, "closed") for pid in (11, 22, 33, None)] + [Cut(10.0, 11, 3.0, "closed")]

    assert accounts.streams_cut(cuts, KILLS) == {KILLED: 1, KERNEL: 1, UNEXPLAINED: 3}


def test_accounts_that_balance_have_no_violation():
    """Also where a request was counted whose client got no answer."""
    assert accounts.violations(a_part()) == []


@pytest.mark.parametrize(
    ("path", "value", "what"),
    [
        (("counted", "requests"), 989, "requests: 990 answered, 989 counted, 1,050 sent"),
        (("counted", "requests"), 1051, "requests: 990"),
        (("counted", "durations"), 989, "durations"),
        (("counted", "app"), 1001, "own counter"),
        (("counted", "jobs"), 387, "jobs of forked children"),
        (("counted", "jobs"), 401, "jobs of forked children"),
        (("examples",), ["/ at 1 s"], "a request failed: / at 1 s"),
        (("streams", "cut"), {UNEXPLAINED: 1}, "1 long connections were cut"),
        (("exits", "signal"), 4, "4 exits by signal, 3 explained"),
        (("exits", "terminated"), 4, "exits by terminated"),
        (("exits", "oom_kill"), 1, "exits by oom_kill"),
        (("exits", "timeout"), 1, "exits by timeout"),
        (("exits",), None, "could not be read"),
        (("alive",), 2, "14 workers started, but 11 ended and 2 live"),
        (("counters_wrong",), ["x fell from 2 to 1"], "x fell"),
        (("scrapes_unexplained",), ["a scrape failed: why"], "a scrape failed"),
        (("growth", "arbiter_fds", "flat"), False, "arbiter, open files (at rest, before and after) grew: 10 to 11"),
        (("growth", "arbiter_fds", "flat"), None, "(at rest, before and after): never measured"),
        (("kernel_kills",), 2, "2 unexplained SIGKILLs, 0 OOM kills by the kernel"),
        (("missed",), ["recycles"] * 3, "recycles: drawn 3 times and never done"),
        (("arbiter_exit_code",), -9, "exit code -9"),
        (("arbiter_exit_code",), None, "exit code None"),
        (("left_behind",), ["process 5"], "left behind: process 5"),
    ],
)
def test_each_account_that_does_not_balance_is_one_violation(path, value, what):
    """Named, with its figures, and on the page."""
    part = a_part(*path, value=value)
    part["violations"] = found = accounts.violations(part)
    text = page({"cells": {"chaos": {"27.0.1": part}}})

    assert (len(found), what in found[0]) == (1, True), found
    assert "| 1 do not | **missed** |" in text and found[0] in text


def test_the_page_tells_the_accounts_the_disturbances_and_what_could_grow():
    """With the seed that draws the same again."""
    text = page({"cells": {"chaos": {"27.0.1": a_part() | {"violations": []}}}})

    assert "| chaos, 30 min, 42 disturbances: accounts | all balance | all balance | met | - |" in text
    assert "| requests: answered, counted, sent | 990 <= 1,000 <= 1,050 | balances |" in text
    assert "| worker killed | 3 | its requests and connections |" in text
    assert "| exporter, threads (median) | 10 | 11 | 2 | flat |" in text
    assert "files of prometheus_client: 28 at most" in text
    assert "--cells chaos --seed 7" in text and "does not balance" not in text


def test_accounts_that_do_not_balance_are_exit_code_1(monkeypatch, capsys):
    """For whoever runs it at night."""
    for violations, code in (([], 0), (["the sum is wrong"], 1)):
        cell = SimpleNamespace(minutes=lambda _options: 0.0, run=lambda *_, found=violations: {"violations": found})
        monkeypatch.setitem(command_line.CELLS, "chaos", cell)
        assert command_line.main(["--cells", "chaos", "--seed", "5", "--json"]) == code
        part = json.loads(capsys.readouterr().out)["cells"]["chaos"]
        assert all("--seed 5" in one["command"] for one in part.values())


def test_a_counter_may_neither_fall_nor_vanish():
    """A new one may come, and a gauge may do what it likes."""
    counter, gauge = '# TYPE a_total counter\na_total{w="1"} 5\n', "# TYPE g gauge\ng 7\n"
    text = counter + gauge + '# TYPE h histogram\nh_bucket{le="+Inf"} 2\nh_count 2\n'
    before = samples_of(text, RISING)
    after = samples_of(text.replace("} 5", "} 4").replace("h_count 2\n", "# TYPE b_total counter\nb_total 0\n"), RISING)

    assert (total(before, "a_total"), len(before), wrongs(before, before)) == (5, 3, [])
    assert wrongs(before, after) == ["h_count[] vanished at 2", "a_total[('w', '1')] fell from 5 to 4"]


def test_scrapes_fail_only_while_something_is_done_to_the_exporter():
    """Or the kernel has killed it under a cut limit."""
    failures = [(10.0, 10.1, "refused")]
    killed, memory = Done(9.0, "exporter killed", 5), Done(9.0, "memory cut", None, 12.0)

    assert accounts.scrapes_explained(failures, [killed], False) == []
    assert accounts.scrapes_explained(failures, [memory], True) == []
    assert accounts.scrapes_explained(failures, [memory], False) == ["a scrape failed: refused"]
    assert accounts.scrapes_explained(failures, [Done(10.2, "exporter killed", 5)], False) != []


def test_the_longest_gap_is_of_scrapes_in_a_row(tmp_path):
    """Two failures far apart are two gaps."""
    scraper = Scraper(1, 1, tmp_path, failures=[(1.0, 1.1, ""), (2.0, 2.5, ""), (9.0, 9.1, "")])

    assert longest_gap(scraper) == 1.5


def test_files_may_grow_by_two_and_no_more():
    """The arbiter's at rest, the exporter's by the median, as one that was just started has fewer."""

    def flat(after, *exporters):
        found = accounts.growth([{"exporter_fds": one} for one in exporters], 20, after)
        return found["arbiter_fds"]["flat"], found["exporter_fds"]["flat"]

    assert flat(22, *[7, 10, 10, 10, 10, 10, 10, 40, 12]) == (True, True)
    assert flat(23, *[10, 10, 10, 10, 10, 10, 13, 13, 9]) == (False, False)
    assert flat(None) == (None, None)


def test_memory_may_grow_by_its_bound_and_no_more():
    """Of the median of the first third."""

    def flat(last):
        seen = [{"exporter_rss_bytes": one << 20} for one in (20, 20, last)]
        return accounts.growth(seen, None, None)["exporter_rss_bytes"]["flat"]

    assert (flat(23), flat(24)) == (True, False)


def test_what_still_holds_at_the_end_is_taken_back(monkeypatch):
    """And is not done twice at once."""
    undone = threading.Event()
    endless = Disturbance("endless", 1, "", lambda _site: (7, 3600.0, undone.set))
    monkeypatch.setattr(disturbances, "TABLE", (endless,))
    monkeypatch.setattr(disturbances, "SOONEST_SECONDS", 0.0)
    monkeypatch.setattr(disturbances, "LATEST_SECONDS", 0.01)
    disturber = Disturber(SimpleNamespace(random=random.Random(1), limits=Limits({}, True)), lambda _line: None)
    thread = threading.Thread(target=disturber.run)
    thread.start()
    while not disturber.journal:
        time.sleep(0.01)
    disturber.ended.set()
    thread.join(10)

    assert [(one.name, one.pid, one.until is not None) for one in disturber.journal] == [("endless", 7, True)]
    assert undone.is_set()


@pytest.mark.parametrize("v1", [True, False])
def test_limits_are_cut_and_taken_back_in_either_hierarchy(v1, tmp_path):
    """In the words of the kernel."""
    made = Limits(dict.fromkeys(("memory", "cpu", "pids"), tmp_path), v1)
    (tmp_path / "pids.current").write_text("40\n")
    memory, cpu = ("memory.limit_in_bytes", "cpu.cfs_quota_us") if v1 else ("memory.max", "cpu.max")

    def written():
        return [(tmp_path / name).read_text() for name in (memory, cpu, "pids.max")]

    made.cut_memory(1000), made.cut_cpu(0.5), made.cut_pids(3)
    cut = written()
    made.cut_memory(None), made.cut_cpu(None), made.cut_pids(None)

    assert cut == ["1000", "50000" if v1 else "50000 100000", "43"]
    assert written() == (["-1", "-1", "max"] if v1 else ["max", "max 100000", "max"])
    assert len(made.joining) == 1


def test_streams_that_the_server_ends_are_cuts_and_the_rest_are_left():
    """With the process that had them."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        streams = Streams(server.getsockname()[1], 2, random.Random(1))
        thread = threading.Thread(target=streams.run)
        thread.start()
        clients = [server.accept()[0] for _ in range(2)]
        for client in clients:
            client.sendall(b"HTTP/1.1 200 OK\r\nX-Pid: 42\r\n\r\ndata: on\n\n")
        time.sleep(0.2)
        clients[0].shutdown(socket.SHUT_RDWR)
        clients += [server.accept()[0]]
        streams.ended.set()
        thread.join(10)
        for client in clients:
            client.close()

    assert [(one.pid, one.how) for one in streams.cuts] == [(42, "closed")]
    assert (streams.opened, streams.left) == (3, 2)


def test_a_worker_that_gunicorn_gave_up_was_not_killed_by_the_kernel():
    """Nor one that autotune ended; all are sent SIGKILL."""
    log = "[CRITICAL] WORKER TIMEOUT (pid:5)\n[ERROR] Worker (pid:5) was sent SIGKILL! Perhaps out of memory?\n"

    log += "[ERROR] autotune: worker did not leave in time, killed pid=7 reason=reload seconds=65.0\n"
    log += "".join(log.splitlines(keepends=True)[1].replace("5", pid) for pid in "67")

    assert killed_by_kernel(log) == frozenset({6})


def test_who_had_begun_a_request_is_read_back(tmp_path):
    """A request that was begun twice had two; a record cut short is none."""
    (tmp_path / "seen").write_bytes(b"".join(n.to_bytes(4, "little") for n in (1, 11, 2, 12, 1, 13, 9)))

    assert pids_in(tmp_path / "seen") == {1: [11, 13], 2: [12]}
    assert pids_in(tmp_path / "none") == {}
