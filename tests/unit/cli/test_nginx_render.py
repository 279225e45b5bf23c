"""`nginx render` as an operator types it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from gunicorn_autotune.cli import main, parser
from gunicorn_autotune.cli.nginx_app_child import static_of
from gunicorn_autotune.cli.nginx_options import options_from
from gunicorn_autotune.cli.nginx_render import again
from gunicorn_autotune.cli.style import CommandError
from gunicorn_autotune.nginx.site.gunicorn import SYNC
from gunicorn_autotune.nginx.write.notes import notes
from tests.rendering import FULL, a_gunicorn

CONFIG = """
from gunicorn_autotune import install
bind = "unix:/run/shop/gunicorn.sock"
worker_class = "gthread"
threads = 4
keepalive = {keepalive}
install(globals(), max_workers=8)
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder named shop with a Gunicorn configuration; the current one."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "gunicorn.conf.py").write_text(CONFIG.format(keepalive=10))
    monkeypatch.chdir(folder)
    monkeypatch.delenv("GUNICORN_AUTOTUNE_METRICS", raising=False)
    return folder


def render(*words: str) -> int:
    """The command, for an nginx that need not be here."""
    return main(
        ["nginx", "render", "--config", "gunicorn.conf.py", "--nginx-version", "1.22.1", "--nginx-workers", "2", *words]
    )


def test_it_writes_a_folder_named_after_the_site(shop: Path) -> None:
    """nginx-shop, from the folder of the configuration."""
    assert render("--domain", "example.com") == 0

    text = (shop / "nginx-shop" / "conf.d" / "shop-http.conf").read_text()
    assert "server unix:/run/shop/gunicorn.sock fail_timeout=0;" in text
    assert "keepalive_timeout 4s;" in text


def test_it_does_not_write_twice_unless_forced(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same again is fine; other settings are refused, then replaced with --force."""
    codes = [render("--domain", "example.com"), render("--domain", "example.com")]
    (shop / "gunicorn.conf.py").write_text(CONFIG.format(keepalive=2))
    codes += [render("--domain", "example.com"), render("--domain", "example.com", "--force")]

    assert codes == [0, 0, 1, 0]
    assert "keepalive_timeout 1s;" in (shop / "nginx-shop" / "conf.d" / "shop-http.conf").read_text()


def test_the_readme_tells_the_command_to_render_anew(shop: Path) -> None:
    """With the options it was made by, but those that overwrite or only show."""
    render("--domain", "example.com", "--force")

    text = (shop / "nginx-shop" / "README.md").read_text()
    assert (
        "$ gunicorn-autotune nginx render --config gunicorn.conf.py --nginx-version 1.22.1 --nginx-workers 2 "
        "--domain example.com --diff "
    ) in text


@pytest.mark.parametrize("words", [["--app", "a`b"], ["--config", "a\nb"]], ids=["backtick", "newline"])
def test_a_command_that_is_no_plain_line_is_not_told(words: list[str]) -> None:
    """It would end the block of the page it stands in."""
    assert again(["nginx", "render", *words]) == ""


def test_diff_writes_nothing(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1 for a change, as diff has it."""
    code = render("--diff")

    assert (code, (shop / "nginx-shop").exists()) == (1, False)
    assert "+++ b/conf.d/shop-http.conf" in capsys.readouterr().out


def test_one_file_is_printed(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is written, and nothing but the file is on stdout."""
    code = render("--print", "shop/gzip.conf")

    assert (code, (shop / "nginx-shop").exists()) == (0, False)
    assert capsys.readouterr().out.startswith("# Written by gunicorn-autotune")


def test_programs_are_told_as_json(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where, for what, and what happened to each file."""
    render("--domain", "example.com", "--json")
    told = json.loads(capsys.readouterr().out)

    assert (told["nginx"], told["gunicorn"]["worker_class"], told["notes"]) == ("1.22.1", "gthread", [])
    assert told["files"]["conf.d/shop-http.conf"] == "new"


def test_a_site_without_a_name_says_so(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No --domain: it answers every host, and the operator hears of it."""
    render()

    assert "note: no --domain: the site answers every host name" in capsys.readouterr().out
    assert not (shop / "nginx-shop" / "conf.d" / "shop-unknown.conf").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--domain", "a;b"], "--domain = 'a;b': must be a host name"),
        (["--print", "nothing"], "--print = 'nothing': must be one of conf.d/00-autotune.conf"),
        (["--out", "gunicorn.conf.py"], "--out = 'gunicorn.conf.py': must be a folder"),
        (["--app", "nothing_there:app"], "--app = 'nothing_there:app': "),
    ],
)
def test_a_bad_value_is_one_line(
    shop: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:  # fmt: skip
    """Option, value and rule on stderr, exit code 2, nothing written."""
    code = render(*words)
    error = capsys.readouterr().err

    assert (code, error.count("\n"), (shop / "nginx-shop").exists()) == (2, 1, False)
    assert said in error


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rate", "-1"], "--rate = -1: must be 0 to 1000000"),
        (["--static", "a", "--media", "b=/static/"], "/static/: stands for two things"),
        (["--nginx-workers", "0"], "--nginx-workers = 0: must be 1 to 1024"),
        (["--exporter", "here"], "--exporter = 'here': must be http://HOST:PORT"),
        (["--app", "no;app"], "--app = 'no;app': must be MODULE:NAME"),
        (["--tls", "/a$b", "/c"], "--tls = '/a$b': must be an absolute path"),
        (["--metrics-listen", "here"], "--metrics-listen = 'here': must be [ADDRESS:]PORT"),
        (["--redirect-from", "80"], "--redirect-from: must come with --tls"),
        (["--nginx-version", "new"], "--nginx-version = 'new': must be a version"),
    ],
)
def test_every_option_is_checked(words: list[str], said: str) -> None:
    """Beside the shapes of single words: bounds, what two options say together, where each is used."""
    given = parser().parse_args(["nginx", "render", "--name", "shop", *words])
    with pytest.raises(CommandError) as refused:
        options_from(given, a_gunicorn())

    assert said in str(refused.value)


def test_static_folders_are_asked_of_the_app(shop: Path) -> None:
    """Flask's own and a blueprint's; what the app prints does not disturb."""
    (shop / "wsgi.py").write_text(
        "from flask import Blueprint, Flask\n"
        "print('hello')\n"
        "app = Flask(__name__, static_url_path='/files')\n"
        "app.register_blueprint(Blueprint('b', __name__, static_folder='s', static_url_path='/s', url_prefix='/b'))\n"
    )
    render("--app", "wsgi:app")
    text = (shop / "nginx-shop" / "shop" / "static.conf").read_text()

    assert [line.split()[2] for line in text.splitlines() if line.startswith("location")] == ["/files/", "/b/s/"]
    assert [line.split()[1] for line in text.splitlines() if "alias" in line] == [f"{shop}/static/;", f"{shop}/s/;"]


def test_an_app_behind_middleware_is_found() -> None:
    """ProxyFix(app).app, as deployed behind a proxy."""
    from flask import Flask
    from werkzeug.middleware.proxy_fix import ProxyFix

    assert [one["url"] for one in static_of(ProxyFix(Flask("shop").wsgi_app.__self__))] == ["/static/"]


def test_another_framework_is_told_how_else() -> None:
    """No Flask app: the error names the option that does it."""
    with pytest.raises(TypeError, match="--static"):
        static_of(object())


def test_gunicorn_elsewhere_is_not_asked_for_metrics_here(shop: Path) -> None:
    """Its exporter's loopback is not nginx's."""
    render("--server-address", "10.0.0.4:8000")

    assert "autotune" not in (shop / "nginx-shop/conf.d/shop-metrics.conf").read_text().partition("\n\n")[2]


def test_gunicorn_is_not_imported(shop: Path) -> None:
    """The configuration is executed elsewhere."""
    loaded = {name for name in sys.modules if name.startswith("gunicorn.")}
    render()

    assert {name for name in sys.modules if name.startswith("gunicorn.")} == loaded


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": "26.2.0"}, "27.0.1 or later; no connection to it is kept"),
        ({"keepalive": 2}, "connections are kept for 1 s only; keepalive = 10 in Gunicorn's file"),
        ({"keepalive": 9}, "connections are kept for 3 s only; keepalive = 10 in Gunicorn's file"),
        ({"keepalive": 1}, "no connection can be kept; keepalive = 10"),
        ({"bind": ["0.0.0.0:8000"]}, "clients can bypass nginx"),
        ({"timeout": 0}, "a worker that hangs is never replaced"),
    ],
)
def test_what_an_operator_should_know_is_said(changes: dict[str, object], words: str) -> None:
    """One sentence each."""
    assert [words in note for note in notes(a_gunicorn(**changes), FULL)] == [True]


@pytest.mark.parametrize("kind", ["threaded", SYNC])
def test_where_all_is_well_nothing_is_said(kind: str) -> None:
    """A pair that fits; for sync whatever its keepalive."""
    assert notes(a_gunicorn(kind, keepalive=2 if kind == SYNC else 10), FULL) == []


def test_the_pages_keep_their_url(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """nginx refuses a second location of it."""
    assert render("--stream", "/.shop-pages/") == 2
    assert "/.shop-pages/: stands for two things" in capsys.readouterr().err
