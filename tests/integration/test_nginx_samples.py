"""The samples of the rules are real configurations, and so is what the check proposes for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gunicorn_autotune.nginx.rules import all_rules
from gunicorn_autotune.nginx.rules.check import check
from gunicorn_autotune.nginx.write.edits import changed
from tests.nginx_pages import place
from tests.nginx_samples import files_of, site_from
from tests.nginx_tested import at_home, nginx_says

pytestmark = [pytest.mark.real, pytest.mark.once]
RULES = [listed.rule.id for listed in all_rules()]
REFUSED = {"NGX701": "fires", "NGX010": "fires", "NGX011": "fires"}
"""Rules about what nginx refuses, or warns of."""


def accepted(texts: dict[str, str], folder: Path, keys: Path) -> str:
    """Empty, or what nginx says against these files, laid out in `folder`."""
    for path, text in texts.items():
        file = folder / path.removeprefix("/etc/nginx/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(at_home(text.replace("/etc/nginx/", f"{folder}/"), keys))
    said = nginx_says(folder / "nginx.conf")
    return "" if said.returncode == 0 and "[warn]" not in said.stderr else said.stderr


def for_this_nginx(texts: dict[str, str]) -> bool:
    """Whether a sample is not about another version."""
    return all("#: nginx = " not in text or '#: nginx = "1.22' in text for text in texts.values())


@pytest.mark.parametrize("kind", ["fires", "silent"])
@pytest.mark.parametrize("rule", RULES)
def test_nginx_accepts_the_sample(rule: str, kind: str, tmp_path: Path, keys: Path) -> None:
    """Nobody learns from a configuration that cannot run; three rules are about just that."""
    texts = files_of(place(rule, kind))
    refused = REFUSED.get(rule) == kind or not for_this_nginx(texts)

    assert refused or accepted(texts, tmp_path, keys) == ""


@pytest.mark.parametrize("rule", RULES)
def test_nginx_accepts_what_all_rules_propose_for_it(rule: str, tmp_path: Path, keys: Path) -> None:
    """The patch of `--diff` as a whole, without a warning."""
    texts = files_of(place(rule, "fires"))
    found = check(site_from(texts), strict=True).findings
    edits = [edit for one in found for edit in one.edits]
    after = {path: changed(text, [edit for edit in edits if edit.file == path]) for path, text in texts.items()}
    refused = rule in REFUSED or not for_this_nginx(texts)

    assert refused or accepted(after, tmp_path, keys) == ""
