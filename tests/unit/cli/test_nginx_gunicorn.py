import pytest

from gunicorn_autotune.cli.nginx_gunicorn import from_config, from_server
from gunicorn_autotune.cli.style import CommandError
from gunicorn_autotune.nginx.site.gunicorn import CONCURRENT, SETTINGS, THREADED
from tests.unit.cli.pages import a_whole_document, answering, healthy_pages
from tests.unit.exporter.boards import GUNICORN

INSTALL = "from gunicorn_autotune import install\n"
VARIABLES = ("GUNICORN_CMD_ARGS", "WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS", "PORT")


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch):
    """Only what a test says."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def a_file(folder, text):
    """A configuration file in `folder`, where the test stands."""
    (folder / "gunicorn.conf.py").write_text(text)
    return "gunicorn.conf.py"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The folder of the test, as working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_file_gives_every_setting_this_gunicorn_has(here):
    """Defaults included, so that a rule needs none of its own."""
    found = from_config(a_file(here, INSTALL + "install(globals())\n"))

    assert set(SETTINGS) == set(found.values)
    assert (["127.0.0.1:8000"], False, "sync") == tuple(map(found.get, ("bind", "tls", "worker_class")))


WRITTEN = """
from gunicorn.workers.sync import SyncWorker
bind = ['[::1]:81', 'unix:/run/x.sock', 'localhost']
certfile = '/etc/hosts'
user = 'root'
group = 54321
forwarded_allow_ips = '10.0.0.1,10.0.0.2'
worker_class = SyncWorker
umask = 0o007
"""


@pytest.fixture(scope="module")
def as_written(tmp_path_factory):
    """All of them read at once: an interpreter of its own is started for each reading."""
    path = tmp_path_factory.mktemp("told") / "gunicorn.conf.py"
    path.write_text(WRITTEN)
    with pytest.MonkeyPatch.context() as environment:
        for name in VARIABLES:
            environment.delenv(name, raising=False)
        return from_config(str(path))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bind", ["[::1]:81", "unix:/run/x.sock", "localhost:8000"]),
        ("tls", True),
        ("user", "root"),
        ("group", "54321"),
        ("forwarded_allow_ips", ["10.0.0.1", "10.0.0.2"]),
        ("worker_class", "gunicorn.workers.sync.SyncWorker"),
        ("umask", 7),
    ],
)
def test_value_is_told_as_an_operator_would_write_it(name, value, as_written):
    """Addresses as in `bind`, names of users where they have one, lists as lists."""
    assert value == as_written.get(name)


@pytest.mark.parametrize(
    ("text", "name", "shown"),
    [
        ("\nkeepalive = 5\n", "keepalive", "keepalive = 5 (gunicorn.conf.py:2)"),
        ("if True:\n    keepalive = 5\n", "keepalive", "keepalive = 5 (gunicorn.conf.py)"),
        ("\n\nkeyfile = '/etc/hosts'\n", "tls", "tls = True (gunicorn.conf.py:3)"),
        ("backlog = 5\n", "backlog", "backlog = 64 (GUNICORN_CMD_ARGS)"),
        ("threads = 2\n", "threads", "threads = 3 (command line)"),
        ("", "workers", "workers = 6 (WEB_CONCURRENCY)"),
        ("workers = 6\n", "workers", "workers = 6 (gunicorn.conf.py:1)"),
        ("", "bind", "bind = ['0.0.0.0:5000'] (PORT)"),
    ],
)
def test_origin_is_where_the_value_in_force_was_set(text, name, shown, here, monkeypatch):
    """Gunicorn's order: command line, GUNICORN_CMD_ARGS, file, variables it reads for a default."""
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--backlog 64 --threads 2")
    monkeypatch.setenv("WEB_CONCURRENCY", "6")
    monkeypatch.setenv("PORT", "5000")

    assert shown == from_config(a_file(here, text), ["--threads", "3"]).shown(name)


def test_default_is_called_one(here):
    """With the version whose default it is."""
    assert from_config(a_file(here, "")).shown("timeout").startswith("timeout = 30 (default of Gunicorn ")


def test_module_is_the_origin_of_what_it_sets():
    """Ours gives the keepalive that fits the rendered files."""
    found = from_config("python:gunicorn_autotune.conf")

    assert "keepalive = 10 (python:gunicorn_autotune.conf)" == found.shown("keepalive")


def test_policy_comes_with_the_largest_count_of_this_host(here):
    """0 stands for a number that a rule could not know."""
    found = from_config(a_file(here, INSTALL + "install(globals())\n"))

    assert found.policy is not None
    assert found.most_workers == found.policy["max_workers"] > 0


def test_file_without_autotune_has_no_policy(here):
    """Then Gunicorn's own count is the largest."""
    found = from_config(a_file(here, "workers = 3\n"))

    assert (None, 3) == (found.policy, found.most_workers)


@pytest.mark.parametrize(("name", "kind"), [("gthread", THREADED), ("gevent", CONCURRENT)])
def test_kind_is_told_in_the_words_of_the_nginx_side(name, kind, here):
    """An event loop is `concurrent` there."""
    assert kind == from_config(a_file(here, f"worker_class = {name!r}\n")).kind


@pytest.mark.parametrize(
    ("location", "text", "part"),
    [
        ("nothing.py", "", "--config = 'nothing.py': must be a file that exists"),
        ("gunicorn.conf.py", "import nosuchmodule\n", "No module named 'nosuchmodule'"),
        ("gunicorn.conf.py", "timeout = 'long'\n", "Invalid value for timeout: long"),
        ("python:nosuchmodule", "", "No module named 'nosuchmodule'"),
    ],
)
def test_file_that_cannot_be_read_is_one_line(location, text, part, here):
    """It names the file and what Gunicorn says."""
    a_file(here, text)
    with pytest.raises(CommandError) as raised:
        from_config(location)

    assert (True, 0) == (part in str(raised.value), str(raised.value).count("\n"))


def test_argument_that_gunicorn_does_not_know_is_one_line(here):
    """Gunicorn's own words."""
    with pytest.raises(CommandError, match="unrecognized arguments: --thread-count"):
        from_config(a_file(here, ""), ["--thread-count", "3"])


def told(**changes):
    """What is made of a running server's document."""
    with answering(healthy_pages(a_whole_document(**changes))) as address:
        return from_server(address)


def test_running_server_tells_its_settings():
    """Those it set are its own, the others defaults of its version."""
    found = told()

    assert "threads = 2 (running server, pid 4711)" == found.shown("threads")
    assert "timeout = 30 (default of Gunicorn 27.0.1)" == found.shown("timeout")


def test_running_server_is_as_large_as_it_says_itself():
    """max_workers = 0 is resolved by the cap it publishes; it may run in another cgroup than we do."""
    found = told()

    assert (4, 2, THREADED) == (found.most_workers, found.requests_at_once, found.kind)


@pytest.mark.parametrize(
    ("listeners", "bind", "shown"),
    [
        (["http://127.0.0.1:8000"], ["127.0.0.1:8000"], "default of"),
        (["https://[::1]:41234", "unix:/run/a.sock"], ["[::1]:41234", "unix:/run/a.sock"], "running server"),
        ([], ["127.0.0.1:8000"], "default of"),
    ],
)
def test_running_server_is_where_it_listens(listeners, bind, shown):
    """Not where its settings say: systemd may have handed it a socket, a name or port 0 becomes an address."""
    found = told(listeners=[{"address": address} for address in listeners])

    assert (bind, True) == (found.get("bind"), shown in found.shown("bind"))


def test_socket_may_be_named_by_its_path(tmp_path):
    """As by `unix:` and the path."""
    with answering(healthy_pages(a_whole_document()), str(tmp_path / "m.sock")) as path:
        found = [from_server(text).version for text in (path, f"unix:{path}")]

    assert ["27.0.1"] * 2 == found


def test_token_is_shown_to_a_guarded_exporter(tmp_path):
    """The first line of the file."""
    (tmp_path / "token").write_text("secret\n")
    with answering(healthy_pages(a_whole_document()), token="secret") as address:
        assert "27.0.1" == from_server(address, str(tmp_path / "token")).version


@pytest.mark.parametrize(
    ("document", "part"),
    [
        (
            {"gunicorn": None},
            "does not tell Gunicorn's settings yet; restart Gunicorn after the upgrade, or name its file",
        ),
        ({"gunicorn": {"kind": "single"}}, "its status document is not as expected"),
        ({"policy": None}, "its status document is not as expected"),
        ({"listeners": [{}]}, "its status document is not as expected"),
        ({"gunicorn": {"missing": "the settings take 20000 bytes"}}, "20000 bytes; name Gunicorn's file with --config"),
    ],
)
def test_server_that_does_not_tell_its_settings_is_one_line(document, part):
    """It says what to do instead."""
    with pytest.raises(CommandError, match=part):
        told(**document)


@pytest.mark.parametrize(
    ("name", "value"),
    [("keepalive", None), ("keepalive", "2"), ("backlog", -1), ("threads", True), ("bind", "a:80"), ("tls", "no"),
     ("worker_class", None)],
)  # fmt: skip
def test_setting_of_another_type_is_one_line(name, value):
    """Whoever answers at the address, files are made of what he says."""
    with pytest.raises(CommandError, match=f"not as expected .ValueError: {name} = "):
        told(gunicorn=GUNICORN | {"settings": GUNICORN["settings"] | {name: value}})


def test_version_is_one_word():
    """It stands in comments, which a line feed would end."""
    server = a_whole_document()["server"] | {"gunicorn": "20.0.0\n} server {"}

    with pytest.raises(CommandError, match=r"not as expected .ValueError: gunicorn = "):
        told(server=server)


def test_server_that_has_not_published_yet_is_one_line():
    """It is just starting."""
    pages = healthy_pages({"missing": "the arbiter has not published anything yet", "healthy": False})
    with answering(pages) as address, pytest.raises(CommandError, match="not published anything yet; try again"):
        from_server(address)


def test_place_where_nobody_answers_is_one_line(tmp_path):
    """It names the option."""
    with pytest.raises(CommandError, match=r"nothing answers at unix:.* Another one: --server"):
        from_server(f"unix:{tmp_path}/none.sock")


def test_document_on_paper_has_the_names_of_the_real_one():
    """Else these tests would prove nothing."""
    assert set(GUNICORN["settings"]) <= set(SETTINGS)
