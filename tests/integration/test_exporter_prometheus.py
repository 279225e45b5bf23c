"""A real Prometheus scrapes the exporter and answers what operators ask; promtool reads every byte."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gunicorn_autotune.exporter.metrics_page import QUESTIONS
from gunicorn_autotune.exporter.render import Format, exposition
from tests.server import free_port, wait_for
from tests.unit.exporter.boards import a_document, a_large_board, a_small_board
from tests.unit.exporter.running import exporting, fetch

pytestmark = pytest.mark.real

CONFIG = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
- job_name: gunicorn
  static_configs: [{{targets: ['127.0.0.1:{port}']}}]
"""


def tool(name: str) -> str:
    """Path of a program; without it the test is skipped, except in CI."""
    found = shutil.which(name)
    if found is None:
        reason = f"{name} is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextmanager
def prometheus(folder: Path, scraped_port: int, more: str = "") -> Iterator[int]:
    """A Prometheus on a free port that scrapes `scraped_port` each second, `more` in its job; ended by pid."""
    port, config = free_port(), folder / "prometheus.yml"
    config.write_text(CONFIG.format(port=scraped_port) + more)
    command = [
        tool("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn",
    ]  # fmt: skip
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        wait_for(lambda: fetch(port, "/-/ready").status == 200, "Prometheus ready")
        yield port
    finally:
        process.terminate()
        process.wait(20)


def ask(port: int, query: str) -> list[dict[str, Any]]:
    """The vector that answers a PromQL query."""
    response = fetch(port, "/api/v1/query?" + urllib.parse.urlencode({"query": query}))
    answer = json.loads(response.body)
    assert answer["status"] == "success", (query, answer)
    vector: list[dict[str, Any]] = answer["data"]["result"]
    return vector


@pytest.mark.parametrize("board", [a_small_board(), a_large_board(128)], ids=["small", "128 slots"])
def test_promtool_finds_nothing_to_complain_about(board):
    """`promtool check metrics` parses and lints the text format: names, units, help, types."""
    text = exposition(a_document(), board, Format.TEXT)
    checked = subprocess.run([tool("promtool"), "check", "metrics"], input=text, capture_output=True, check=False)

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


UNANSWERED = ["What was decided in the last ten minutes, and why", "Is this node too small?"]
"""Only these two may have no answer here: nothing was decided meanwhile, and the node is large enough."""


def _unanswered(port: int) -> list[str]:
    return [question for question, query in QUESTIONS if not ask(port, query)]


def test_prometheus_scrapes_the_exporter_and_answers_operators_questions(tmp_path: Path):
    """Up, with every slot, counting requests; and every query of docs/metrics.md is one Prometheus understands."""
    with exporting() as exporter, prometheus(tmp_path, exporter.port) as port:
        wait_for(lambda: ask(port, "rate(gunicorn_worker_requests_total{worker='0'}[10s]) > 0"), "a rate of requests")

        # Waited for, each: a scrape that took too long on a busy host ends all series until the next one.
        wait_for(lambda: [one["value"][1] for one in ask(port, "up")] == ["1"], "up")
        slots = "gunicorn_worker_requests_total"
        wait_for(lambda: {one["metric"]["worker"] for one in ask(port, slots)} == set("012"), "every slot")
        bottleneck = "gunicorn_autotune_bottleneck == 1"
        wait_for(lambda: [one["metric"]["resource"] for one in ask(port, bottleneck)] == ["none"], "no bottleneck")
        wait_for(lambda: _unanswered(port) == UNANSWERED, f"answers to all questions but {UNANSWERED}")


def test_prometheus_takes_the_openmetrics_format_without_a_warning(tmp_path: Path):
    """It asks for OpenMetrics first; a sample it must drop would be a line in its log."""
    with exporting(slots=32) as exporter, prometheus(tmp_path, exporter.port) as port:
        wait_for(lambda: ask(port, "scrape_samples_scraped > 400"), "a whole scrape")

        assert ask(port, "scrape_samples_scraped - scrape_samples_post_metric_relabeling")[0]["value"][1] == "0"
        assert (tmp_path / "log.txt").read_text() == ""


@pytest.mark.parametrize(("given", "up"), [("", "0"), ("  authorization: {credentials_file: token}\n", "1")])
def test_prometheus_needs_the_bearer_token(tmp_path: Path, given: str, up: str):
    """With `authorization: {credentials_file: ...}` the target is up, without it is down."""
    token = tmp_path / "token"
    token.write_text("secret-1\n")
    with exporting(bearer_token_file=str(token)) as exporter, prometheus(tmp_path, exporter.port, given) as port:
        wait_for(lambda: [sample["value"][1] for sample in ask(port, "up")] == [up], f"up {up}")
