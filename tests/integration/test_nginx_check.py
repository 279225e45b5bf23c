"""`gunicorn-autotune nginx check` beside a real nginx and a real Gunicorn."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.proxy import NGINX
from tests.server import GUNICORN, environment, serving

pytestmark = [pytest.mark.real, pytest.mark.once]
CLI = [GUNICORN, "-m", "gunicorn_autotune", "nginx", "check"]
CONFIG = """\
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    include {folder}/shop.conf;
}}
"""
SHOP = """\
upstream shop {{
    server {bind};
    keepalive 32;
{more}}}
server {{
    listen 127.0.0.1:8099;
    location / {{
        proxy_pass http://shop;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
    }}
}}
"""


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """One check, from outside, its output piped; it must not find the server of another test."""
    nobody = environment({"GUNICORN_AUTOTUNE_METRICS": "127.0.0.1:1"})
    return subprocess.run(
        [*CLI, *arguments], cwd=folder, env=nobody, capture_output=True, text=True, timeout=60
    )  # fmt: skip


def written(folder: Path, bind: str, more: str = "") -> Path:
    """A configuration of two files; the main one."""
    if NGINX is None:
        pytest.fail("nginx is not installed")
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(CONFIG.format(folder=folder, user=user))
    (folder / "shop.conf").write_text(SHOP.format(bind=bind, more=more))
    return folder / "nginx.conf"


def rules(text: str) -> set[str]:
    """Ids in a JSON answer."""
    return {one["rule"] for one in json.loads(text)["findings"]}


def test_the_race_is_found_beside_a_running_server(tmp_path: Path) -> None:
    """Its settings in force, nginx's by `nginx -T`, the line, exit code 2."""
    with serving(tmp_path, 'worker_class = "gthread"\nthreads = 4\nkeepalive = 2') as server:
        path = written(tmp_path, f"127.0.0.1:{server.port}")
        ended = run(str(path), "--server", f"127.0.0.1:{server.metrics_port}", "--json", folder=tmp_path)

    found = next(one for one in json.loads(ended.stdout)["findings"] if one["rule"] == "NGX001")
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert (found["file"], found["line"]) == (f"{tmp_path}/shop.conf", 1)
    assert json.loads(ended.stdout)["nginx"]["read_by"] == "nginx -T"
    assert found["gunicorn"].startswith("keepalive = 2 (")


def test_a_server_with_a_fitting_pair_has_no_race(tmp_path: Path) -> None:
    """keepalive 10 against 4 s."""
    (tmp_path / "gunicorn.conf.py").write_text('bind = "127.0.0.1:8000"\nworker_class = "gthread"\nkeepalive = 10\n')
    path = written(tmp_path, "127.0.0.1:8000", "    keepalive_timeout 4s;\n    keepalive_time 2s;\n")

    ended = run(str(path), "--config", "gunicorn.conf.py", "--json", folder=tmp_path)

    assert not {"NGX001", "NGX005", "NGX201"} & rules(ended.stdout)


def test_the_patch_applies_and_cures(tmp_path: Path) -> None:
    """patch(1) takes what --diff prints, nginx accepts the result, and the finding is gone."""
    (tmp_path / "gunicorn.conf.py").write_text('bind = "127.0.0.1:8000"\nworker_class = "gthread"\nkeepalive = 10\n')
    path = written(tmp_path, "127.0.0.1:8000")
    before = run(str(path), "--config", "gunicorn.conf.py", "--json", folder=tmp_path)
    patch = run(str(path), "--config", "gunicorn.conf.py", "--diff", folder=tmp_path).stdout

    subprocess.run(["patch", "-d", "/", "-p1", "--follow-symlinks"], input=patch, text=True, check=True)
    tested = subprocess.run([str(NGINX), "-t", "-c", str(path)], capture_output=True, text=True)
    after = run(str(path), "--config", "gunicorn.conf.py", "--json", folder=tmp_path)

    assert tested.returncode == 0, tested.stderr
    assert "NGX001" in rules(before.stdout) - rules(after.stdout)


def test_nothing_of_the_user_is_changed(tmp_path: Path) -> None:
    """Neither by a check nor by a proposal."""
    path = written(tmp_path, "127.0.0.1:8000")
    texts = {name: (tmp_path / name).read_bytes() for name in ("nginx.conf", "shop.conf")}

    run(str(path), folder=tmp_path)
    run(str(path), "--diff", folder=tmp_path)

    assert texts == {name: (tmp_path / name).read_bytes() for name in texts}


def test_a_configuration_that_nginx_refuses_is_still_checked(tmp_path: Path) -> None:
    """`nginx -T` prints nothing then: the files are read, and nginx's own words are among the findings."""
    path = written(tmp_path, "127.0.0.1:8000", "    nonsense on;\n")

    ended = run(str(path), "--json", folder=tmp_path)

    found = {one["rule"]: one for one in json.loads(ended.stdout)["findings"]}
    assert ended.returncode == 2
    assert 'unknown directive "nonsense"' in found["NGX701"]["message"]


def test_text_that_is_no_configuration_names_file_and_line(tmp_path: Path) -> None:
    """One line on stderr, exit code 2, no traceback."""
    path = written(tmp_path, "127.0.0.1:8000")
    (tmp_path / "shop.conf").write_text("upstream shop {\n    server 127.0.0.1:8000;\n")

    ended = run(str(path), folder=tmp_path)

    assert ended.returncode == 2
    assert f"{tmp_path}/shop.conf:" in ended.stderr and len(ended.stderr.splitlines()) == 1


def test_what_nginx_printed_elsewhere_can_be_checked(tmp_path: Path) -> None:
    """Another host's `nginx -T`, with its paths."""
    path = written(tmp_path, "127.0.0.1:8000")
    dump = subprocess.run([str(NGINX), "-T", "-c", str(path)], capture_output=True, text=True, check=True).stdout
    (tmp_path / "dump.txt").write_text(dump)

    ended = run("--dump", "dump.txt", "--nginx-version", "1.30.4", "--json", folder=tmp_path)

    assert json.loads(ended.stdout)["nginx"]["version"] == "1.30.4"
    assert f"{tmp_path}/shop.conf" in json.loads(ended.stdout)["nginx"]["files"]


def test_without_gunicorn_the_rules_that_need_it_are_named(tmp_path: Path) -> None:
    """Not silent as if all were well."""
    path = written(tmp_path, "127.0.0.1:8000")

    ended = run(str(path), folder=tmp_path)

    assert "rules that need Gunicorn's settings (--config FILE or --server ADDRESS)" in ended.stdout


def test_a_rule_is_explained_in_words(tmp_path: Path) -> None:
    """The page, without a browser."""
    ended = run("--explain", "ngx001", folder=tmp_path)

    assert ended.returncode == 0 and ended.stdout.startswith("NGX001 (error): Gunicorn keeps idle connections longer")
