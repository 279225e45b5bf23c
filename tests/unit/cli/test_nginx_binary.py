import os

import pytest

from gunicorn_autotune.cli import nginx_binary
from gunicorn_autotune.cli.nginx_binary import Build, find_nginx, nginx_build, nginx_dump, nginx_test, nginx_version
from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.nginx.site.host import NginxTest

DEBIAN = (
    "nginx version: nginx/1.22.1\nbuilt with OpenSSL 3.0.11\nconfigure arguments: --with-cc-opt='-g -O2 -D_X=2' "
    "--prefix=/usr/share/nginx --error-log-path=stderr --pid-path=/run/nginx.pid --with-compat"
)


@pytest.fixture
def program(tmp_path):
    """Makes a program that says a text on stderr, one on stdout, and ends with a code."""

    def make(errors="", code=0, output="", first=""):
        (tmp_path / "err").write_text(errors)
        (tmp_path / "out").write_text(output)
        path = tmp_path / "nginx"
        path.write_text(f"#!/bin/sh\n{first}\ncat {tmp_path}/out\ncat {tmp_path}/err >&2\nexit {code}\n")
        path.chmod(0o755)
        return str(path)

    return make


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("nginx version: nginx/1.22.1\n", "1.22.1"),
        ("nginx version: nginx/1.24.0 (Ubuntu)\n", "1.24.0"),
        ("nginx version: openresty/1.25.3.1\n", ""),
        ("", ""),
    ],
)
def test_version_is_what_nginx_calls_itself(said, version, program):
    """On stderr; empty when it does not say."""
    assert version == nginx_version(program(said))


def test_build_is_read_from_the_configure_arguments(program):
    """What is not among them is as nginx's sources have it."""
    build = nginx_build(program(DEBIAN))

    assert Build("/usr/share/nginx", "nobody", "", "/run/nginx.pid", "stderr") == build


def test_build_with_a_user_names_it(program):
    """As nginx.org's packages have it."""
    build = nginx_build(program("configure arguments: --user=nginx --group=web\n"))

    assert ("nginx", "web") == (build.user, build.group)


@pytest.mark.parametrize("said", ["", "configure arguments: --x='unclosed\n", "configure arguments:\n"])
def test_build_that_is_not_told_is_that_of_the_sources(said, program):
    """No exception, whatever stands there."""
    assert Build() == nginx_build(program(said))


def test_dump_is_the_text(program):
    """All of stdout."""
    assert "# configuration file a:\n" == nginx_dump(program(output="# configuration file a:\n"), "a")


def test_dump_that_fails_says_why(program):
    """The last error of nginx."""
    said = 'nginx: [warn] odd\nnginx: [emerg] open() "/k" failed (13: Permission denied)\nnginx: test failed\n'

    assert nginx_dump(program(said, code=1), "a") == Missing('[emerg] open() "/k" failed (13: Permission denied)')


def test_test_that_fails_has_passed_false(program):
    """With all that nginx said."""
    said = 'nginx: [emerg] unknown directive "keepaliv"\n'

    assert NginxTest(False, said.strip()) == nginx_test(program(said, code=1), "a")


@pytest.mark.parametrize(("uid", "passed"), [(1000, None), (0, False)])
def test_test_without_the_rights_of_a_start_tells_nothing(uid, passed, program, monkeypatch):
    """A user cannot open the log files: that is no fault of the configuration. Of root's it is one."""
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    found = nginx_test(program('nginx: [emerg] open() "/l" failed (13: Permission denied)\n', code=1), "a")

    assert passed == (found and found.passed)


def test_program_that_does_not_answer_is_missing(program, monkeypatch):
    """Bounded, and said."""
    monkeypatch.setattr(nginx_binary, "TIMEOUT_SECONDS", 0.2)
    stuck = program(first="exec sleep 30")
    dump = nginx_dump(stuck, "a")

    assert (isinstance(dump, Missing), nginx_test(stuck, "a"), nginx_version(stuck)) == (True, None, "")


def test_program_that_is_not_there_is_missing():
    """As one that cannot be run."""
    assert ("", Build(), None) == (nginx_version("/no/nginx"), nginx_build("/no/nginx"), nginx_test("/no/nginx", "a"))


def test_nginx_is_found_on_the_path(program, monkeypatch):
    """And in the folders of administrators."""
    path = program()
    monkeypatch.setenv("PATH", path.rpartition("/")[0])

    assert path == find_nginx()
