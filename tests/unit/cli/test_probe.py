from pathlib import Path

import pytest

from gunicorn_autotune.cli.probe import probe

INSTALL = "from gunicorn_autotune import install\ninstall(globals(), max_workers=7)\n"


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch):
    """Only what a test says."""
    monkeypatch.delenv("GUNICORN_CMD_ARGS", raising=False)


def a_file(folder, text):
    """A configuration file."""
    path = Path(folder) / "gunicorn.conf.py"
    path.write_text(text)
    return str(path)


def test_installed_gunicorn_is_seen_with_its_defaults():
    """Without a file: Gunicorn's defaults, autotune's settings, no private name missing."""
    found = probe(None)

    assert (found.missing_names, found.error, found.kind) == ((), "", "single")
    assert found.policy is not None
    assert found.settings["backlog"] == 2048


def test_file_is_resolved_by_gunicorns_own_loader(tmp_path, monkeypatch):
    """GUNICORN_CMD_ARGS beats the file, threads turn sync into gthread, install() keeps its settings."""
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--backlog 64")
    found = probe(a_file(tmp_path, f"print('hello')\nbacklog = 128\nthreads = 4\n{INSTALL}"))

    assert (found.settings["backlog"], found.settings["worker_class_str"], found.kind) == (64, "gthread", "threaded")
    assert found.policy is not None
    assert found.policy["max_workers"] == 7


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import nosuchmodule\n", "ModuleNotFoundError: No module named 'nosuchmodule'"),
        (INSTALL.replace("max_workers", "max_wokers"), "no such setting; did you mean max_workers?"),
        ("workers = 'many'\n", "Invalid value for workers: many: "),
        ("import os\nos._exit(0)\n", "it ended the process"),
        ("raise SystemExit('enough')\n", "enough"),
        ("raise SystemExit\n", "it ended the process"),
    ],
)
def test_file_that_cannot_be_read_is_an_error_in_one_line(text, expected, tmp_path):
    """Whatever a file does, doctor goes on and says what happened."""
    found = probe(a_file(tmp_path, text))

    assert expected in found.error
    assert (found.error.count("\n"), found.settings, found.gunicorn != "") == (0, {}, True)


def test_file_without_install_has_no_policy(tmp_path):
    """Gunicorn would start untuned."""
    found = probe(a_file(tmp_path, "workers = 3\n"))

    assert (found.policy, found.error) == (None, "")


def test_metrics_of_a_running_server_survive(tmp_path, monkeypatch):
    """A start empties PROMETHEUS_MULTIPROC_DIR; looking at the file must not, even when the file names it."""
    (tmp_path / "counter_1.db").write_bytes(b"figures")
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    probe(a_file(tmp_path, f"import os\nos.environ['PROMETHEUS_MULTIPROC_DIR'] = {str(tmp_path)!r}\n{INSTALL}"))

    assert (tmp_path / "counter_1.db").read_bytes() == b"figures"


def test_gunicorn_that_cannot_be_imported_is_told(tmp_path, monkeypatch):
    """Doctor itself works without it."""
    (tmp_path / "gunicorn.py").write_text("raise ImportError('no gunicorn here')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = probe(None)

    assert (found.gunicorn, found.error) == ("", "no gunicorn here")
