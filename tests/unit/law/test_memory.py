"""How many workers fit into memory, and what follows an OOM kill."""

from dataclasses import replace

import pytest
from tests.unit.law.plant import Plant, scaling

from gunicorn_autotune.law import decide, start
from gunicorn_autotune.law.memory import memory_budget, memory_cap, replacements_that_fit, runs_out
from gunicorn_autotune.law.sizes import mature_bytes
from gunicorn_autotune.model.decisions import Action, Bottleneck, CapName, Reason
from gunicorn_autotune.model.history import History
from gunicorn_autotune.model.readings import UNLIMITED, Missing, PressureReading
from gunicorn_autotune.model.snapshot import WorkerState
from gunicorn_autotune.testing import MIB, a_host, a_policy, a_snapshot, a_worker

POLICY = a_policy(max_workers=64)
GONE = Missing("taken away by the test")


def of(mib, slot=0, **fields):
    """A worker of `mib` MiB."""
    return a_worker(slot, uss_bytes=mib * MIB, pss_bytes=mib * MIB, **fields)


def at_use(used_mib, workers, *, limit_mib=1000, at=0.0, **host):
    """A snapshot with so much of the limit in use."""
    limit = host.pop("memory_limit_bytes", limit_mib * MIB)
    used = host.pop("memory_used_bytes", used_mib * MIB)
    return a_snapshot(at, workers=workers, host=a_host(memory_limit_bytes=limit, memory_used_bytes=used, **host))


def test_the_budget_leaves_the_reserve_free():
    """10 % of 1000 MiB are not to be used."""
    assert 400 * MIB == pytest.approx(memory_budget(POLICY, at_use(500, 2).host))


def test_the_budget_does_not_leap_when_another_level_has_the_least_room():
    """Our own 1000 MiB with 200 left, then a machine of 64 GiB with 200 left: no tenth of the machine is kept free."""
    own = at_use(800, 2, memory_least_limit_bytes=1000 * MIB).host
    machine = at_use(65336, 2, limit_mib=65536, memory_least_limit_bytes=1000 * MIB).host

    assert memory_budget(POLICY, own) == memory_budget(POLICY, machine) == 100 * MIB


def test_a_written_limit_is_compared_with_our_own_use():
    """2000 MiB written, of which our cgroup has 500; that the machine has 20 GiB in use is not its business."""
    host = at_use(20480, 2, limit_mib=24576, memory_own_bytes=500 * MIB).host

    assert 1300 * MIB == pytest.approx(memory_budget(a_policy(memory_limit_bytes=2000 * MIB), host))


WRITTEN = a_policy(memory_limit_bytes=2000 * MIB)


def test_a_written_limit_is_never_compared_with_the_use_of_the_whole_machine():
    """Of a process in the root cgroup the kernel tells no use: until it is known what the host grants counts."""
    host = at_use(4096, 2, limit_mib=24576, memory_own_bytes=GONE).host

    assert (24576 - 4096 - 200) * MIB == pytest.approx(memory_budget(WRITTEN, host))


@pytest.mark.parametrize("hidden", [GONE, UNLIMITED])
def test_a_written_limit_counts_where_the_hosts_is_out_of_sight(hidden):
    """It is what the setting is for."""
    host = at_use(0, 2, memory_limit_bytes=hidden, memory_used_bytes=GONE, memory_own_bytes=500 * MIB).host

    assert 1300 * MIB == pytest.approx(memory_budget(WRITTEN, host))


def test_a_written_limit_lifts_none_of_the_kernels():
    """2000 MiB written and 500 used; of the machine 285 MiB are left."""
    host = at_use(24576 - 285, 2, limit_mib=24576, memory_own_bytes=500 * MIB).host

    assert 85 * MIB == pytest.approx(memory_budget(WRITTEN, host))


@pytest.mark.parametrize(
    ("hidden", "reading"),
    [("memory_limit_bytes", GONE), ("memory_limit_bytes", UNLIMITED), ("memory_used_bytes", GONE)],
)
def test_an_unknown_limit_or_use_has_no_budget(hidden, reading):
    """None, so nothing is done for memory; unlimited is no limit either."""
    assert memory_budget(POLICY, at_use(500, 2, **{hidden: reading}).host) is None


def test_the_largest_worker_counts_for_all():
    """100 MiB and 15 % each, 230 MiB left: two more than the two there are."""
    assert 4 == memory_cap(POLICY, at_use(670, [of(20), of(100, 1)]))


def test_a_booting_worker_will_take_as_much():
    """One more of 115 MiB is already on its way: of two that fit, one is left."""
    workers = [of(100), of(100, 1), of(0, 2, state=WorkerState.BOOTING)]

    assert 4 == memory_cap(POLICY, at_use(670, workers))


def test_a_leaving_worker_is_not_counted():
    """It will be gone; what it holds still counts as used."""
    workers = [of(100), of(100, 1), of(100, 2, state=WorkerState.DRAINING)]

    assert 4 == memory_cap(POLICY, at_use(670, workers))


def test_over_the_reserve_the_cap_is_below_the_count():
    """100 MiB too much is one worker of 115 too many."""
    assert 3 == memory_cap(POLICY, at_use(1000, [of(100, slot) for slot in range(4)]))


@pytest.mark.parametrize(("used_mib", "cap"), [(899, None), (901, 2)])
def test_workers_of_unknown_size_may_not_become_more_over_the_reserve(used_mib, cap):
    """What one more would take is not known; below the reserve that is no limit."""
    workers = [of(0, slot, rss_bytes=0) for slot in (0, 1)]

    assert cap == memory_cap(POLICY, at_use(used_mib, workers))


def grown(mib, slot):
    """A worker that has grown to `mib` within 100 s."""
    return of(mib, slot, spawned_at=-100.0, boot_seconds=0.0)


def test_the_fattest_is_recycled_when_memory_runs_out():
    """1.5 MiB/s in all: 10 MiB of budget would not last for four recycles of 3 s."""
    snapshot = at_use(890, [grown(70, 0), grown(120, 1), grown(60, 2)])

    assert 2 == runs_out(POLICY, snapshot, 30 * MIB, boot_seconds=1.0).age


def test_nobody_is_recycled_while_memory_lasts():
    """400 MiB of budget last for minutes."""
    assert runs_out(POLICY, at_use(500, [grown(70, 0), grown(120, 1)]), 30 * MIB, 1.0) is None


def test_workers_that_do_not_grow_are_not_recycled():
    """All as fresh as new ones: a boot would give nothing back."""
    assert runs_out(POLICY, at_use(899, [grown(33, 0), grown(36, 1)]), 30 * MIB, 1.0) is None


@pytest.mark.parametrize("hidden", ["memory_limit_bytes", "memory_used_bytes"])
def test_nobody_is_recycled_for_memory_that_cannot_be_read(hidden):
    """Neither limit nor use may be guessed."""
    snapshot = at_use(890, [grown(70, 0), grown(120, 1)], **{hidden: GONE})

    assert runs_out(POLICY, snapshot, 30 * MIB, 1.0) is None


def test_nobody_is_recycled_for_the_size_of_others():
    """A worker whose memory was not read is never the fattest."""
    blind = [replace(grown(0, slot), memory=GONE) for slot in range(2)]

    assert runs_out(POLICY, at_use(890, blind), 30 * MIB, 1.0) is None


def test_a_worker_alone_is_recycled_too():
    """What it took when it was fresh is known; min_workers may be 1."""
    assert 1 == runs_out(POLICY, at_use(890, [grown(120, 0)]), 30 * MIB, 1.0).age


def test_a_worker_that_warms_up_is_no_leak():
    """50 MiB in its first moment, caches and imports: not taken for 50 MiB a second."""
    workers = [of(60, slot, spawned_at=0.0, boot_seconds=0.0) for slot in range(4)]

    assert runs_out(POLICY, at_use(700, workers), 10 * MIB, boot_seconds=1.0) is None


@pytest.mark.parametrize(("used", "fits"), [(500, 13), (890, 1), (930, 0)])
def test_replacements_may_use_half_the_reserve(used, fits):
    """30 MiB and 15 % each beside 500, 890 or 930 of 1000 MiB."""
    assert fits == replacements_that_fit(POLICY, History(fresh_bytes=30 * MIB), at_use(used, 2))


@pytest.mark.parametrize("hidden", ["memory_limit_bytes", "memory_used_bytes"])
def test_how_many_replacements_fit_is_not_guessed(hidden):
    """Neither limit nor use is invented."""
    assert replacements_that_fit(POLICY, History(fresh_bytes=MIB), at_use(500, 2, **{hidden: GONE})) is None


def killed(kills=1, alive=9, before=0, **host):
    """The decision on the first look after the kernel killed one of ten, and its history."""
    calm = at_use(500, [of(50, slot) for slot in range(10)], oom_kills=before)
    reborn = of(0, 10, state=WorkerState.BOOTING)
    after = at_use(500, [*(of(50, slot) for slot in range(alive)), reborn], at=1.0, oom_kills=kills, **host)
    return decide(POLICY, start(calm), replace(after, target=10))


def test_an_oom_kill_shrinks_at_once_to_what_fits():
    """Another limit than the one that can be read was hit: one fewer than before."""
    decision, _ = killed(memory_limit_bytes=GONE)

    assert (Action.SHRINK, Reason.OOM_KILL, 8) == (decision.action, decision.reason, decision.target)


def test_a_kill_counts_once_however_long_it_is_looked_at():
    """The count stays up; only one that went up since the last look is new."""
    history, workers = start(at_use(500, [of(50, slot) for slot in range(10)], oom_kills=0)), []
    for second in range(1, 700):
        snapshot = at_use(500, [of(50, slot) for slot in range(10)], at=float(second), oom_kills=1)
        _, history = decide(POLICY, history, snapshot)
        workers.append(history.oom)

    assert ({601.0}, None) == ({cap[0] for cap in workers if cap}, workers[-1])


def test_an_oom_kill_names_the_memory():
    """Whatever else is the matter."""
    assert Bottleneck.MEMORY is killed(memory_limit_bytes=GONE)[0].bottleneck


def test_an_oom_kill_caps_the_count_for_ten_minutes():
    """(until, workers)."""
    assert (601.0, 9) == killed()[1].oom


@pytest.mark.parametrize("count", [2, 9, 10, 40])
def test_an_oom_kill_raises_the_mature_size(count):
    """A fifth above the largest, for every worker: one more entry would be lost above the 90th percentile of many."""
    calm = at_use(500, [of(50, slot) for slot in range(count)])
    after = at_use(500, [of(50, slot) for slot in range(count - 1)], at=1.0, oom_kills=1)
    _, history = decide(POLICY, start(calm), after)

    assert 60 * MIB == mature_bytes([50 * MIB] * count, history.peaks, 601.0)


def pressed_for(share):
    """Memory pressure under which everything stood still for that share of the last 10 s."""
    return PressureReading(some_seconds=9.0, full_seconds=5.0, some_avg10_share=1.0, full_avg10_share=share)


@pytest.mark.parametrize(
    ("pressure", "most"), [(pressed_for(0.05), 4), (pressed_for(0.04), 8), (pressed_for(GONE), 8), (GONE, 8)]
)
def test_under_memory_pressure_no_worker_is_added(pressure, most):
    """Room for eight and four there: what is not known stops nothing."""
    snapshot = at_use(668, [of(50, slot, spawned_at=-100.0) for slot in range(4)], memory_pressure=pressure)

    assert most == memory_cap(POLICY, snapshot)


def test_for_memory_pressure_alone_no_worker_leaves():
    """Whose memory is short it does not tell."""
    calm = at_use(100, 4)
    decision, _ = decide(POLICY, start(calm), at_use(100, 4, at=1.0, memory_pressure=pressed_for(0.9)))

    assert decision.action is Action.HOLD


def test_over_the_limit_itself_as_many_leave_as_are_too_many():
    """MemoryHigh was lowered to 600 MiB with 1000 in use: each of ten takes 57.5 MiB with its margin."""
    calm = at_use(600, [of(50, slot) for slot in range(10)])
    decision, _ = decide(POLICY, start(calm), at_use(1000, [of(50, slot) for slot in range(10)], limit_mib=600, at=1.0))

    assert (Action.SHRINK, Reason.MEMORY, 2) == (decision.action, decision.reason, decision.target)


def shed(snapshot):
    """How many leave at once."""
    calm = replace(snapshot, at=snapshot.at - 1.0, host=at_use(0, 2).host)
    decision, _ = decide(POLICY, start(calm), snapshot)
    return snapshot.target - decision.target


def test_over_the_limit_those_that_drain_are_as_good_as_gone():
    """Cut to 800 MiB with 1050 in use: three of ten leave, and nobody else while they finish their requests."""
    first = at_use(1050, [of(100, slot) for slot in range(10)], limit_mib=800, at=1.0)
    drains = [of(100, slot, state=WorkerState.DRAINING) for slot in range(7, 11)]
    then = at_use(1050, [*(of(100, slot) for slot in range(6)), *drains], limit_mib=800, at=1.0)

    assert [3, 0] == [shed(first), shed(replace(then, target=6))]


def test_below_the_limit_they_leave_one_by_one_though_the_young_may_grow():
    """60 MiB are left of the limit, 40 too much of the reserve are in use."""
    young = [of(40, slot, spawned_at=-10.0) for slot in range(10)]

    assert 1 == shed(at_use(940, young, at=1.0))


def test_where_a_neighbour_has_filled_the_limit_they_leave_one_by_one():
    """Eight workers have 32 of the 440 MiB that their slice uses of its 400."""
    assert 1 == shed(at_use(440, [of(4, slot) for slot in range(8)], limit_mib=400, at=1.0))


def killed_by_a_signal(ago, deaths=1):
    """The cap after a death that the kernel does not explain, `ago` seconds after memory was last short."""
    history = start(at_use(950, [of(50, slot) for slot in range(10)], oom_kills=GONE))
    calm = at_use(500, [of(50, slot) for slot in range(9)], oom_kills=GONE)
    for at, mib, killed in ((0.25, 950, 0), (0.25 + ago - 0.1, 500, 0), (0.25 + ago, 500, deaths)):
        host = a_host(memory_limit_bytes=1000 * MIB, memory_used_bytes=mib * MIB, oom_kills=GONE)
        snapshot = replace(calm, at=at, host=host, totals=replace(calm.totals, killed=killed))
        _, history = decide(POLICY, history, snapshot)
    return history.oom


@pytest.mark.parametrize(
    ("ago", "deaths", "capped"), [(0.25, 1, True), (4.9, 1, True), (5.1, 1, False), (1.0, 0, False)]
)
def test_a_death_by_a_signal_when_memory_was_short_is_an_oom_kill(ago, deaths, capped):
    """Where the kernel's count cannot be read. The kill itself has made room, so "short now" would never be seen."""
    assert capped == (killed_by_a_signal(ago, deaths) is not None)


def test_a_leaving_worker_does_not_count_as_alive_after_an_oom_kill():
    """Eight serve, one drains, one boots: eight is what fits."""
    calm = at_use(500, [of(50, slot) for slot in range(10)])
    serving = [of(50, slot) for slot in range(8)]
    others = [of(50, 8, state=WorkerState.DRAINING), of(0, 9, state=WorkerState.BOOTING)]
    after = at_use(500, [*serving, *others], at=1.0, oom_kills=1)

    assert 8 == decide(POLICY, start(calm), after)[1].oom[1]


@pytest.mark.parametrize(("before", "kills"), [(0, 0), (3, 3), (3, 2), (GONE, 3), (3, GONE), (GONE, GONE)])
def test_without_a_new_kill_nothing_is_capped(before, kills):
    """The same count, one that went down, or one that could not be read."""
    assert killed(kills, before=before)[1].oom is None


def test_the_cap_after_an_oom_kill_is_over_after_ten_minutes():
    """Then the memory itself is what counts."""
    _, history = killed()
    history = replace(history, oom=(1.5, 9))

    decision, _ = decide(POLICY, history, at_use(500, 9, at=2.0))

    assert 9 < decision.caps[CapName.MEMORY]


def test_the_cap_after_an_oom_kill_survives_a_gap_in_time():
    """The application has not become smaller while nobody looked."""
    _, history = killed()
    _, later = decide(POLICY, history, at_use(500, 9, at=101.0))

    assert history.oom == later.oom


def test_growth_stops_at_the_cap_after_an_oom_kill():
    """However long the queue."""
    plant = Plant(scaling()).serve(20, 5)
    plant.history = replace(plant.history, oom=(600.0, 6))
    plant.serve(200, 10)

    assert (6, Reason.AT_MEMORY_CAP) == (plant.target, plant.last().reason)


def test_what_a_preloaded_app_shares_is_counted_once():
    """100 MiB shared by two workers of 20 each: one more costs 23, not 23 and a half of what is shared."""
    workers = [a_worker(slot, uss_bytes=20 * MIB, pss_bytes=70 * MIB) for slot in range(2)]

    assert 2 + 10 == memory_cap(POLICY, at_use(670, workers))
