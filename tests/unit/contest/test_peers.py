"""The peers' command lines: each gets the memory's share of workers, the cores and the place that it was given."""

import subprocess
import sys

import pytest
from benchmarks.contest import peers
from benchmarks.contest.contenders import MissingError, Place, static_max
from benchmarks.contest.workloads import WORKLOADS
from benchmarks.micro import uwsgi, venv

IO, SLOW_IMPORT, LEAK = WORKLOADS["io"], WORKLOADS["import"], WORKLOADS["leak"]
BY_NAME = {one.name: one for one in peers.PEERS}


@pytest.fixture
def place(tmp_path):
    """On a port, with three cores."""
    return Place(8123, 0, tmp_path, cores=3)


@pytest.fixture
def socket_place(tmp_path):
    """On a UNIX socket."""
    return Place(8123, 0, tmp_path, unix=str(tmp_path / "site.sock"))


def after(line, option):
    """The word that follows the option."""
    return line[line.index(option) + 1]


def test_every_peer_has_a_name_of_its_own():
    """Results are kept by name."""
    assert len(BY_NAME) == len(peers.PEERS)


@pytest.mark.parametrize("name", BY_NAME)
def test_a_peer_is_given_the_port(name, place):
    """Every peer listens on the place's port of loopback."""
    line = " ".join(BY_NAME[name].command(IO, place))

    assert "127.0.0.1:8123" in line or "--host 127.0.0.1 --port 8123" in line


@pytest.mark.parametrize("name", BY_NAME)
def test_a_peer_is_given_the_socket_instead_of_the_port(name, socket_place):
    """Behind nginx a peer listens on the socket alone."""
    line = " ".join(BY_NAME[name].command(IO, socket_place))

    assert socket_place.unix in line
    assert "8123" not in line


@pytest.mark.parametrize("name", BY_NAME)
def test_no_peer_is_tuned_for_a_workload(name, place):
    """With the same memory and the same boot the command is the same."""
    command = BY_NAME[name].command

    assert command(WORKLOADS["cpu"], place) == command(WORKLOADS["day"], place)


@pytest.mark.parametrize(
    ("name", "option"), [("uwsgi", "--workers"), ("uwsgi-fast", "--workers"), ("passenger", "--max-pool-size")]
)
@pytest.mark.parametrize("workload", [IO, LEAK])
def test_an_adaptive_peer_may_have_what_memory_holds(name, option, workload, place):
    """The most workers of an adaptive peer are those of the static maximum."""
    assert after(BY_NAME[name].command(workload, place), option) == str(static_max(workload))


def test_uwsgi_runs_pythons_fork_hooks_in_workers_that_it_forks_from_the_app(place):
    """Preloaded, workers take their own ballast only when the hooks of os.register_at_fork run."""
    line = peers.uwsgi_command(IO, place)

    assert ("--py-call-osafterfork" in line, "--lazy-apps" in line) == (True, False)


@pytest.mark.parametrize("name", ["uwsgi", "uwsgi-fast"])
def test_uwsgi_does_not_preload_an_app_that_is_slow_to_import(name, place):
    """Where a worker's boot is the workload, every worker loads the app itself."""
    assert "--lazy-apps" in BY_NAME[name].command(SLOW_IMPORT, place)


def test_uwsgi_has_no_option_of_busyness_beside_the_algorithm(place):
    """The first variant is busyness at its defaults."""
    told = {word for word in peers.uwsgi_command(IO, place) if word.startswith("--cheaper")}

    assert told == {"--cheaper", "--cheaper-initial", "--cheaper-algo"}


def test_uwsgi_fast_is_uwsgi_and_the_options_for_speed(place):
    """The variants differ in the options for speed alone."""
    plain, fast = peers.uwsgi_command(IO, place), peers.uwsgi_fast_command(IO, place)

    assert sorted(fast) == sorted([*plain, "--cheaper-overload", "1", *uwsgi.FASTER])


def test_granian_has_a_worker_for_each_core(place):
    """The README's advice: as many workers as cores."""
    assert after(peers.granian_command(IO, place), "--workers") == "3"


def test_granian_keeps_the_backpressure_that_its_own_backlog_gives(place):
    """Gunicorn's backlog does not double the requests that a worker has at once."""
    assert after(peers.granian_command(IO, place), "--backpressure") == "341"


def test_passenger_finds_the_app_that_all_serve(place):
    """Its startup file, in the place's folder, imports the app as `application`."""
    startup = after(peers.passenger_command(IO, place), "--startup-file")
    # In a process of its own: the app takes memory, and more of it at every fork.
    asked = "import runpy, sys; print(runpy.run_path(sys.argv[1])['application'].__module__)"

    told = subprocess.run([sys.executable, "-c", asked, startup], capture_output=True, text=True, check=True)

    assert told.stdout == "site_app\n"


def test_passengers_version_is_read_from_what_it_says():
    """The number stands behind its registered name."""
    told = "Usage: PassengerAgent <SUBCOMMAND> [options...]\nPhusion Passenger(R) version 6.0.17.\nType ..."

    assert peers.passenger_version(told) == "6.0.17"


def test_a_missing_passenger_is_one_line_with_its_package(monkeypatch, tmp_path):
    """Who lacks it reads what to install."""
    monkeypatch.setattr(peers, "AGENT", tmp_path / "PassengerAgent")

    with pytest.raises(MissingError, match=r"^Passenger is not installed \(Debian: apt install passenger\).*$"):
        peers.prepare_passenger(lambda line: None)


@pytest.mark.parametrize(("prepare", "server"), [(peers.prepare_uwsgi, "uWSGI"), (peers.prepare_granian, "Granian")])
def test_a_peer_that_cannot_be_built_is_missing_with_pips_last_words(prepare, server, monkeypatch, tmp_path):
    """What pip said is the reason why there are no figures."""
    monkeypatch.setattr(uwsgi, "BINARY", tmp_path / "uwsgi")
    monkeypatch.setattr(peers, "GRANIAN_BINARY", tmp_path / "granian")

    def fails(home, requirements):
        raise venv.NotBuiltError("error: no compiler")

    monkeypatch.setattr(uwsgi, "make", fails)
    monkeypatch.setattr(peers, "make", fails)

    with pytest.raises(MissingError, match=f"{server}.*: error: no compiler"):
        prepare(lambda line: None)


def test_of_all_that_pip_said_the_line_with_the_error_is_told(monkeypatch, tmp_path):
    """The reason is one line, not pip's whole log."""
    said = "warning: slow\nerror: no compiler\nnote: this is an issue with the package"
    failed = subprocess.CompletedProcess([], 1, stdout="", stderr=said)
    monkeypatch.setattr(venv.subprocess, "run", lambda *arguments, **options: failed)

    with pytest.raises(venv.NotBuiltError, match=r"^error: no compiler$"):
        venv.make(tmp_path / "home", ["server"])
