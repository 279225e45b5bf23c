"""The whole check as a target: every rule over whatever parses, its report in all shapes, its proposal read again."""

from __future__ import annotations

import json

from benchmarks.fuzz_nginx.inputs import MAIN, Files
from benchmarks.fuzz_nginx.reading import COMPARED_CHARACTERS, Texts, read

from gunicorn_autotune.cli.nginx_input import Input
from gunicorn_autotune.cli.nginx_report import as_diff, as_json, as_text
from gunicorn_autotune.cli.style import Style
from gunicorn_autotune.nginx.read.timing import Timing
from gunicorn_autotune.nginx.rules.check import Report, check
from gunicorn_autotune.nginx.rules.finding import Severity
from gunicorn_autotune.nginx.site.gunicorn import CONCURRENT, SYNC, THREADED, Gunicorn
from gunicorn_autotune.nginx.site.host import HostFacts, NginxTest
from gunicorn_autotune.nginx.site.site import site_of
from gunicorn_autotune.nginx.write.edits import changed

VERSIONS = ("1.14.2", "1.18.0", "1.22.1", "1.28.0", "1.30.4", "")
DEFAULTS = {
    "bind": ["127.0.0.1:8000", "unix:/run/gunicorn.sock"], "keepalive": 2, "timeout": 30, "graceful_timeout": 30,
    "threads": 4, "workers": 3, "backlog": 2048, "worker_connections": 1000, "forwarded_allow_ips": ["127.0.0.1"],
}  # fmt: skip
HOST = HostFacts(
    cpus=2, somaxconn=4096, nginx_groups=("www-data",), worker_open_files=1024, test=NginxTest(True, ""),
    error_log=("2026/11/21 10:00:00 [error] 7#7: *1 upstream timed out (110: Connection timed out) while reading",),
    timing=Timing(1000, 0.01, 0.4, 0.001, 0.5, 3),
)  # fmt: skip


def check_files(files: Files) -> str:
    """All rules, with a Gunicorn that depends on the text: sync, threads, an event loop, none."""
    texts = Texts(files)
    root = read(texts, MAIN)
    if root is None:
        return "refused"
    size = len(files[MAIN])
    kind = (SYNC, THREADED, CONCURRENT, None)[size % 4]
    gunicorn = Gunicorn("27.0.1", kind, DEFAULTS, policy={"mode": "active", "max_workers": 16}) if kind else None
    site = site_of(root, VERSIONS[size % len(VERSIONS)], gunicorn, HOST)
    report = check(site, strict=True)
    given = Input(root, texts, "files")
    as_text(given, site, report, "", Severity.INFO, Style())
    json.loads(as_json(given, site, report, 0))
    if size <= COMPARED_CHARACTERS:
        as_diff(given, report, Severity.INFO, Style())
        _reads_again(texts, report)
    return "accepted"


def _reads_again(texts: Texts, report: Report) -> None:
    """What is proposed must be a configuration."""
    edits = [edit for one in report.findings for edit in one.edits]
    after = {path: changed(text, [edit for edit in edits if edit.file == path]) for path, text in texts.reached.items()}
    assert read(Texts(after), MAIN) is not None, "the proposal is no configuration"
