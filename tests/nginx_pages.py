"""The pages of the nginx rules, made from their modules and samples: `python -m tests.nginx_pages` writes them."""

from __future__ import annotations

import difflib
from pathlib import Path

from gunicorn_autotune.cli.nginx_report import finding_lines
from gunicorn_autotune.cli.style import Style
from gunicorn_autotune.nginx.check import check
from gunicorn_autotune.nginx.finding import Need, Severity
from gunicorn_autotune.nginx.rules import Listed, all_rules
from tests.nginx_samples import MAIN, RULES, files_of, site_from

DOCS = Path(__file__).parents[1] / "docs"
NEEDS = {
    Need.GUNICORN: "Gunicorn's settings", Need.LIVE: "a running Gunicorn", Need.NGINX: "nginx on this host",
    Need.LOG: "nginx's error log", Need.TIMING: "a timing log",
}  # fmt: skip
GROUPS = {
    "0": "Kept connections", "1": "Timeouts", "2": "Address and listener", "3": "Headers and trust",
    "4": "Buffering and limits", "5": "Static files and compression", "6": "Capacity", "7": "Operation",
    "8": "Where the time goes",
}  # fmt: skip


def pages() -> dict[str, str]:
    """Path below docs/ -> text."""
    rules = all_rules()
    made = {f"nginx/{listed.rule.id}.md": _page(listed) for listed in rules}
    return made | {"nginx-rules.md": _index(rules)}


def place(rule: str, kind: str) -> Path:
    """`fires.conf`, or the folder `fires`."""
    folder = RULES / rule / kind
    return folder if folder.is_dir() else folder.with_suffix(".conf")


def _page(listed: Listed) -> str:
    rule = listed.rule
    before, after = files_of(place(rule.id, "fires")), files_of(place(rule.id, "silent"))
    found = check(site_from(before), [listed], strict=True).findings
    said = "\n".join(line for one in found for line in finding_lines(one, Style()))
    needs = f" Needs {' and '.join(NEEDS[need] for need in Need if need in rule.needs)}." if rule.needs else ""
    shown = "\n".join(_shown(path, text, len(before) > 1) for path, text in before.items())
    change = "\n".join(_change(path, before.get(path, ""), after.get(path, "")) for path in sorted({*before, *after}))
    return f"""\
<!-- Written by `make docs` from the rule's module and samples. -->
# {rule.id}: {rule.title}

**{rule.severity.value}**.{needs} [All rules](../nginx-rules.md)

{listed.page}

## It speaks here

Lines with `#:` say what stands beside the configuration.

```nginx
{shown}
```

```console
{said}
```

## And is silent after this

```diff
{change.strip()}
```
"""


def _shown(path: str, text: str, several: bool) -> str:
    return (f"# {path}\n" if several else "") + text.rstrip("\n")


def _change(path: str, before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), path, path, n=1, lineterm="")
    return "\n".join(line for line in lines if not line.startswith(("---", "+++")) or path != MAIN)


def _index(rules: list[Listed]) -> str:
    counts = ", ".join(f"{sum(listed.rule.severity is level for listed in rules)} {level.value}" for level in Severity)
    parts = [
        "<!-- Written by `make docs` from the rules' modules. -->",
        "# Rules of `gunicorn-autotune nginx check`",
        "",
        f"{len(rules)} rules: {counts}. Each title is what a good configuration does; each page says why, with the "
        "figures, a configuration that breaks the rule and the change that mends it. [How to use the check](nginx.md)",
    ]
    for digit, group in GROUPS.items():
        own = [listed.rule for listed in rules if listed.rule.id[3] == digit]
        if own:
            parts += ["", f"## {group}", "", "| rule | severity | a good configuration |", "|---|---|---|"]
            parts += [f"| [{one.id}](nginx/{one.id}.md) | {one.severity.value} | {one.title} |" for one in own]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    (DOCS / "nginx").mkdir(exist_ok=True)
    for name, text in pages().items():
        (DOCS / name).write_text(text)
