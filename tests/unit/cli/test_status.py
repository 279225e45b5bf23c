import json

import pytest

from gunicorn_autotune.cli import main
from gunicorn_autotune.cli.asking import parse_place
from gunicorn_autotune.cli.style import CommandError
from tests.server import free_port
from tests.unit.cli.pages import a_whole_document, answering, healthy_pages


def test_healthy_server_is_exit_code_0(capsys):
    """The page goes to stdout, nothing to stderr."""
    with answering(healthy_pages(a_whole_document())) as address:
        code = main(["status", "--server", f"http://{address}"])
    out, err = capsys.readouterr()

    assert (code, out.startswith("active "), err) == (0, True, "")


def test_json_is_the_document_unchanged(capsys):
    """Unknown keys and their order survive."""
    text = json.dumps({"zebra": [1, {"a": None}]} | a_whole_document())
    with answering({"/status.json": (200, text)}) as address:
        main(["status", "--json", "--server", address])

    assert capsys.readouterr().out == text + "\n"


@pytest.mark.parametrize("probe", ["healthy", "ready"])
def test_unwell_server_is_exit_code_1_and_says_why(probe, capsys):
    """The reason is the probe's own."""
    pages = healthy_pages(a_whole_document(**{probe: False})) | {f"/-/{probe}": (503, "last tick 31 s ago\n")}
    with answering(pages) as address:
        code = main(["status", "--server", address])

    assert (code, capsys.readouterr().out.splitlines()[0]) == (1, f"not {probe}: last tick 31 s ago")


def test_unwell_server_is_exit_code_1_as_json_too():
    """A script asks with --json and reads the code."""
    with answering(healthy_pages(a_whole_document(ready=False))) as address:
        assert main(["status", "--json", "--server", address]) == 1


def test_nothing_there_is_exit_code_2_and_one_line_with_the_address(capsys):
    """The line says what was asked and what to check."""
    port = free_port()
    code = main(["status", "--server", f"127.0.0.1:{port}"])
    out, err = capsys.readouterr()

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"nothing answers at http://127.0.0.1:{port} (Connection refused)" in err


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        ({}, "answers 404 for /status.json"),
        ({"/status.json": (200, "<html>hello</html>")}, "not with a status document: '<html>hello</html>'"),
        ({"/status.json": (200, "[]")}, "not with a status document"),
    ],
)
def test_something_else_there_is_exit_code_2(pages, expected, capsys):
    """Another program's page is not taken for a server's status."""
    with answering(pages) as address:
        code = main(["status", "--server", address])

    assert (code, expected in capsys.readouterr().err) == (2, True)


def test_unix_socket_is_asked(tmp_path, capsys):
    """By its path, with `unix:` or without."""
    with answering(healthy_pages(a_whole_document()), path=str(tmp_path / "m.sock")) as path:
        assert main(["status", "--server", path]) == 0
        assert main(["status", "--server", f"unix:{path}"]) == 0


def test_token_file_opens_a_guarded_exporter(tmp_path, capsys):
    """Without it, one line says which option is needed."""
    (tmp_path / "token").write_text("secret\n")
    with answering(healthy_pages(a_whole_document()), token="secret") as address:
        codes = [
            main(["status", "--server", address]),
            main(["status", "--server", address, "--token-file", f"{tmp_path}/token"]),
        ]

    assert codes == [2, 0]
    assert "wants a bearer token: --token-file" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "\nsecret\n"])
def test_useless_token_file_is_refused(content, tmp_path, capsys):
    """Not there, or an empty first line."""
    if content is not None:
        (tmp_path / "token").write_text(content)

    assert main(["status", "--token-file", f"{tmp_path}/token"]) == 2
    assert f"--token-file = '{tmp_path}/token': " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:9877", "http://127.0.0.1:9877"),
        (":9877", "http://127.0.0.1:9877"),
        ("0.0.0.0:9877", "http://127.0.0.1:9877"),
        ("[::]:9877", "http://[::1]:9877"),
        ("http://host:1/status.json", "http://host:1"),
        ("http://127.0.0.1:9878/metrics", "http://127.0.0.1:9878"),
        ("https://host/autotune/", "https://host:443/autotune"),
        ("unix:/run/m.sock", "unix:/run/m.sock"),
        ("unix:///run/m.sock", "unix:/run/m.sock"),
    ],
)
def test_address_is_understood_as_the_exporter_writes_it(text, expected):
    """Every form of the `metrics` setting, and URLs; a server on all interfaces is asked on loopback."""
    assert str(parse_place(text, "--server")) == expected


@pytest.mark.parametrize(
    "text", ["9877", "host", "ftp://host:1", "http://host:99999", "unix:relative", "127.0.0.1:0", "off", ""]
)
def test_what_is_no_address_is_refused_with_its_name_and_value(text):
    """One line: thing, value, rule."""
    with pytest.raises(CommandError, match=r"--server = '.*': \w") as refused:
        parse_place(text, "--server")

    assert "\n" not in str(refused.value)


def test_proxy_of_the_environment_is_not_asked(monkeypatch):
    """A corporate proxy cannot reach loopback of this machine."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with answering(healthy_pages(a_whole_document())) as address:
        assert main(["status", "--server", f"http://{address}"]) == 0


@pytest.mark.parametrize("arguments", [[], ["stauts"], ["status", "--url", "h:1"], ["status", "--nope"]])
def test_bad_usage_is_exit_code_2(arguments, capsys):
    """Unknown words and options."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
