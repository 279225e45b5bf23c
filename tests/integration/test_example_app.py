"""The example site behaves as its pages say, within its bounds, and survives threads and forks."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.once
SITE = Path(__file__).parents[2] / "example_app"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
MODULES = ("app", "asgi", "notes", "work", "wsgi")


@pytest.fixture(scope="module")
def site() -> Iterator[dict[str, ModuleType]]:
    """The site's modules, imported plainly as Gunicorn does from that directory."""
    sys.path.insert(0, str(SITE))
    try:
        import app
        import asgi
        import notes
        import work

        yield {"app": app, "asgi": asgi, "notes": notes, "work": work}
    finally:
        sys.path.remove(str(SITE))
        for name in MODULES:
            sys.modules.pop(name, None)


@pytest.fixture
def app(site, tmp_path):
    """A site of its own, with a pool of two connections and little patience."""
    app = site["app"].create_app(tmp_path / "notes.sqlite3", pool_size=2, pool_wait_seconds=0.2)
    yield app
    app.extensions["notes"].pool.close()


@pytest.fixture
def client(app):
    """A client of the site."""
    return app.test_client()


def test_the_index_links_every_situation(client):
    """Whoever opens the site finds all it has."""
    page = client.get("/").text

    for link in (
        "/io?ms=100",
        "/cpu?ms=20",
        "/slow?share=0.01&amp;ms=20",
        "/leak?kb=50",
        "/notes",
        "/burst",
        "/healthz",
    ):
        assert f'href="{link}"' in page


def test_every_link_of_the_index_answers(client):
    """No link leads nowhere."""
    for path in ("/io?ms=1", "/cpu?ms=1", "/slow?ms=0", "/leak?kb=1", "/notes?hold_ms=1", "/burst", "/healthz"):
        assert client.get(path).status_code == 200, path


def test_cpu_uses_the_cpu_time_asked_for(client):
    """The work is computing, not sleeping: the thread's own clock shows it."""
    began = time.thread_time()

    client.get("/cpu?ms=50")

    assert time.thread_time() - began >= 0.05


def test_io_waits_without_computing(client):
    """The wall clock moves and the thread's CPU clock hardly does."""
    wall, cpu = time.monotonic(), time.thread_time()

    client.get("/io?ms=200")

    assert time.monotonic() - wall >= 0.2
    assert time.thread_time() - cpu < 0.1


@pytest.mark.parametrize(("share", "said"), [("0", "an ordinary one, waited 1 ms"), ("1", "an outlier, waited 100 ms")])
def test_slow_takes_a_hundred_times_as_long_for_the_share_asked_for(client, share, said):
    """With a share of 0 nobody is slow, with 1 everybody."""
    assert said in client.get(f"/slow?ms=1&share={share}").text


def test_leak_keeps_what_it_says(client):
    """Each request adds to the same heap."""
    client.get("/leak?kb=512")

    assert "kept 512 kB more" in (answer := client.get("/leak?kb=512").text)
    assert "now keeps 1.00 MB" in answer


def test_leak_stops_at_its_bound(app, client):
    """At the bound the page still answers and keeps nothing more."""
    app.extensions["leak"].max_bytes = 1024 * 1024
    client.get("/leak?kb=1024")

    assert "kept nothing more, the bound is 1 MB" in client.get("/leak?kb=1").text
    assert app.extensions["leak"].kept_bytes == 1024 * 1024


def test_a_worker_keeps_at_most_200_mb(site):
    """The bound that the index promises."""
    assert site["work"].Leak().max_bytes == 200 * 1024 * 1024


def test_burst_fires_only_when_told_how_many(client):
    """Opening the page sends nothing; its form does."""
    assert 'data-n="0"' in client.get("/burst").text
    assert 'data-n="5" data-path="/cpu?ms=20"' in client.get("/burst?n=5&to=cpu").text


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/io?ms=abc", "ms = abc, must be a whole number from 0 to 10000"),
        ("/io?ms=-1", "ms = -1, must be a whole number from 0 to 10000"),
        ("/io?ms=10001", "ms = 10001, must be a whole number from 0 to 10000"),
        ("/io?ms=", "ms = (empty), must be a whole number from 0 to 10000"),
        ("/io?ms=1_0", "ms = 1_0, must be a whole number from 0 to 10000"),
        ("/io?ms=%0a5", "ms = \\n5, must be a whole number from 0 to 10000"),
        ("/io?ms=" + "9" * 5000, f"ms = {'9' * 40}..., must be a whole number from 0 to 10000"),
        ("/cpu?ms=2001", "ms = 2001, must be a whole number from 0 to 2000"),
        ("/slow?ms=101", "ms = 101, must be a whole number from 0 to 100"),
        ("/slow?share=2", "share = 2, must be a share from 0 to 1, such as 0.01"),
        ("/slow?share=nan", "share = nan, must be a share from 0 to 1, such as 0.01"),
        ("/leak?kb=0", "kb = 0, must be a whole number from 1 to 10240"),
        ("/burst?n=201", "n = 201, must be a whole number from 1 to 200"),
        ("/burst?to=//evil", "to = //evil, must be one of io, cpu, slow, notes"),
        ("/notes?hold_ms=5001", "hold_ms = 5001, must be a whole number from 0 to 5000"),
    ],
)
def test_a_bad_parameter_gets_one_line_with_its_name_value_and_rule(client, path, line):
    """Whoever mistypes learns what to type instead."""
    answer = client.get(path)

    assert (400, line + "\n") == (answer.status_code, answer.text)


def test_a_browser_gets_the_line_on_a_page_with_the_value_escaped(client):
    """Whatever is sent comes back as text, never as markup."""
    answer = client.get("/io?ms=<script>alert(1)</script>", headers=BROWSER)

    assert answer.status_code == 400
    assert answer.content_type == "text/html; charset=utf-8"
    assert "&lt;script&gt;alert(1)" in answer.text
    assert "<script>alert" not in answer.text


def test_a_page_that_is_not_there_is_a_404(client):
    """Unknown paths are said to be unknown, in a line too."""
    answer = client.get("/nope")

    assert (answer.status_code, answer.text.count("\n")) == (404, 1)


def test_a_wrong_method_says_which_ones_there_are(client):
    """The Allow header survives the one-line answer."""
    answer = client.delete("/notes")

    assert answer.status_code == 405
    assert {"GET", "HEAD", "OPTIONS", "POST"} == set(answer.headers["Allow"].split(", "))


def test_a_note_is_kept_and_escaped(client):
    """What was typed is shown as typed."""
    posted = client.post("/notes", data={"text": " <b>hello</b> "})

    assert (posted.status_code, posted.headers["Location"]) == (303, "/notes")
    assert "<li>&lt;b&gt;hello&lt;/b&gt;</li>" in client.get("/notes").text


@pytest.mark.parametrize("text", ["", "   ", "x" * 201])
def test_a_note_too_short_or_too_long_is_refused(client, text):
    """1 to 200 characters; nothing is stored otherwise."""
    answer = client.post("/notes", data={"text": text})

    assert answer.status_code == 400
    assert "must be 1 to 200 characters" in answer.text
    assert "No notes yet." in client.get("/notes").text


def test_another_sites_form_may_not_write_here(client):
    """A browser tells where the form was sent from, and elsewhere is refused."""
    answer = client.post("/notes", data={"text": "spam"}, headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 403
    assert "No notes yet." in client.get("/notes").text


def test_a_form_too_large_is_refused(client):
    """Nobody fills the memory through the form."""
    assert client.post("/notes", data={"text": "x" * 20_000}).status_code == 413


def test_only_the_newest_notes_are_kept(app, site):
    """The database does not grow without end."""
    notes = app.extensions["notes"]
    for i in range(site["notes"].MAX_NOTES + 5):
        notes.add(f"note {i}")

    with notes.pool.connection() as connection:
        assert connection.execute(
            "SELECT count(*), (SELECT text FROM notes ORDER BY id LIMIT 1), "
            "(SELECT text FROM notes ORDER BY id DESC LIMIT 1) FROM notes"
        ).fetchall() == [(200, "note 5", "note 204")]


def test_the_pool_never_lends_more_than_its_size(app):
    """Eight threads at once, two connections: never more than two are out, and everybody gets a turn."""
    pool = app.extensions["notes"].pool
    pool.wait_seconds = 30
    lent, most, lock = 0, 0, threading.Lock()
    all_lent = threading.Event()

    def borrow(_: int) -> None:
        nonlocal lent, most
        for _ in range(20):
            with pool.connection() as connection:
                with lock:
                    lent += 1
                    most = max(most, lent)
                    if lent == pool.size:
                        all_lent.set()
                # Nobody gives back before every connection was out at once, so the others do come to wait.
                assert all_lent.wait(30)
                connection.execute("SELECT count(*) FROM notes").fetchone()
                with lock:
                    lent -= 1

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(borrow, range(8)))

    assert most == 2
    assert len(pool._idle) <= 2


def test_an_exhausted_pool_is_a_503_that_says_so(app, client):
    """With every connection lent the page waits its time, then says what is short and when to come again."""
    pool = app.extensions["notes"].pool

    with pool.connection(), pool.connection():
        answer = client.get("/notes")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert "all 2 connections of this worker stayed busy for 0.2 s" in answer.text
    assert client.get("/notes").status_code == 200


def test_a_failed_statement_gives_its_place_in_the_pool_back(app):
    """Errors do not make the pool smaller."""
    pool = app.extensions["notes"].pool
    for _ in range(5):
        with pytest.raises(ZeroDivisionError), pool.connection():
            _ = 1 / 0

    with pool.connection(), pool.connection() as connection:
        assert connection.execute("SELECT count(*) FROM notes").fetchone() == (0,)


def test_a_database_that_cannot_be_opened_is_a_503(site, tmp_path):
    """A wrong path is told in one line, and the rest of the site goes on."""
    client = site["app"].create_app(tmp_path / "missing" / "notes.sqlite3").test_client()

    answer = client.get("/notes")

    assert (
        answer.status_code,
        answer.text,
    ) == (503, "notes: the database does not answer (unable to open database file)\n")
    assert client.get("/healthz").status_code == 200


def test_the_site_is_made_without_opening_anything(site, tmp_path):
    """With preload the site is made before the fork: no file and no thread may come of it."""
    threads = threading.active_count()

    site["app"].create_app(tmp_path / "notes.sqlite3")

    assert list(tmp_path.iterdir()) == []
    assert threads == threading.active_count()


FORKS = """
import os, sys
from app import create_app
notes = create_app().extensions["notes"]
if sys.argv[1] == "used":
    notes.add("by the parent")
inherited = notes._pools.get(os.getpid())
children = []
for i in range(8):
    pid = os.fork()
    if not pid:
        for _ in range(20):
            notes.add(f"by child {i}")
        os._exit(notes.pool is inherited)
    children.append(pid)
print([os.waitpid(pid, 0)[1] for pid in children])
with notes.pool.connection() as connection:
    print(connection.execute("SELECT count(*) FROM notes WHERE text LIKE 'by child%'").fetchone()[0])
"""


@pytest.mark.real
@pytest.mark.parametrize("parent", ["used", "unused"])
def test_forked_workers_write_at_once_through_pools_of_their_own(tmp_path, parent):
    """Eight processes, on a new file or with a parent that has it open: no note is lost and no lock is reported."""
    done = subprocess.run(
        [sys.executable, "-c", FORKS, parent],
        cwd=SITE,
        env=os.environ | {"EXAMPLE_APP_DB": str(tmp_path / "notes.sqlite3")},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (done.stdout, done.stderr) == ("[0, 0, 0, 0, 0, 0, 0, 0]\n160\n", "")


def test_every_answer_has_the_headers_and_names_its_worker(client):
    """Pages, lines, errors and files alike."""
    for path in ("/", "/io?ms=0", "/io?ms=abc", "/nope", "/static/site.css"):
        with client.get(path) as answer:
            headers = answer.headers
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert "default-src 'none'" in headers["Content-Security-Policy"], path
        assert str(os.getpid()) == headers["X-Worker-Pid"], path


def test_static_files_are_there_and_may_be_cached(client):
    """What the pages refer to exists; an hour of caching spares the workers."""
    for name in ("site.css", "mark.svg", "burst.js"):
        with client.get(f"/static/{name}") as answer:
            assert (answer.status_code, answer.cache_control.max_age) == (200, 3600), name


def ask_asgi(site, path: str, method: str = "GET") -> tuple[int, str]:
    """The status and body that the ASGI app sends for a request."""
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request"}

    path, _, query = path.partition("?")
    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode()}
    asyncio.run(site["asgi"].app(scope, receive, send))
    start, body = sent
    assert method == "HEAD" or len(body["body"]) == int(dict(start["headers"])[b"content-length"])
    return start["status"], body["body"].decode()


@pytest.mark.parametrize(
    ("path", "method", "status", "said"),
    [
        ("/", "GET", 200, "index"),
        ("/io?ms=1", "GET", 200, "io: waited 1 ms"),
        ("/cpu?ms=1", "GET", 200, "cpu: used 1."),
        ("/cpu?ms=1", "HEAD", 200, ""),
        ("/io?ms=abc", "GET", 400, "ms = abc, must be a whole number from 0 to 10000"),
        ("/cpu?ms=", "GET", 400, "ms = (empty), must be a whole number from 0 to 2000"),
        ("/nope", "GET", 404, "there are"),
        ("/", "POST", 405, "method = POST"),
    ],
)
def test_the_asgi_sibling_answers_alike(site, path, method, status, said):
    """The same parameters, bounds and messages without Flask."""
    answered, body = ask_asgi(site, path, method)

    assert status == answered
    assert body.startswith(said)


def test_the_asgi_sibling_waits_without_blocking(site, monkeypatch):
    """Ten waits of 100 ms overlap on one event loop."""
    waiting, sleep = [0], asyncio.sleep

    async def counted(seconds: float) -> None:
        waiting.append(waiting[-1] + 1)
        await sleep(seconds)
        waiting.append(waiting[-1] - 1)

    async def ten() -> list[tuple[int, str]]:
        return await asyncio.gather(*(site["asgi"].answer("GET", "/io", "ms=100") for _ in range(10)))

    monkeypatch.setattr(site["asgi"].asyncio, "sleep", counted)
    answers = asyncio.run(ten())

    assert ([status for status, _ in answers], max(waiting)) == ([200] * 10, 10)


def test_the_asgi_sibling_starts_and_stops(site):
    """The lifespan protocol is answered, so servers log no complaint."""
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent = []

    async def receive():
        return next(messages)

    async def send(message):
        sent.append(message["type"])

    asyncio.run(site["asgi"].app({"type": "lifespan"}, receive, send))

    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_no_connection_is_left_to_the_garbage_collector(app, client):
    """Closing the pool closes all there is: the collector finds no open connection to warn of."""
    client.get("/notes")
    app.extensions["notes"].pool.close()

    gc.collect()

    assert app.extensions["notes"].pool._idle == []
