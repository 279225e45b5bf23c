"""The table of the nginx rules, which the repository keeps, and a page for each rule, which it does not.

Both are made from the rules' modules and samples. `make docs` writes docs/nginx-rules.md, `make rule-pages` writes
docs/nginx/NGX001.md and the others for whoever wants to read them side by side.
"""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

from gunicorn_autotune.cli.nginx_report import NOUNS, finding_lines
from gunicorn_autotune.cli.style import Style
from gunicorn_autotune.nginx.rules import Listed, all_rules
from gunicorn_autotune.nginx.rules.check import check
from gunicorn_autotune.nginx.rules.finding import Need
from tests.nginx_samples import MAIN, RULES, files_of, site_from

DOCS = Path(__file__).parents[1] / "docs"
NEEDS = {
    Need.GUNICORN: "Gunicorn's settings",
    Need.LIVE: "a running Gunicorn",
    Need.NGINX: "nginx on this host",
    Need.LOG: "nginx's error log",
    Need.TIMING: "a timing log",
}
GROUPS = {
    "0": "Kept connections",
    "1": "Timeouts",
    "2": "Address and listener",
    "3": "Headers and trust",
    "4": "Buffering and limits",
    "5": "Static files and compression",
    "6": "Capacity",
    "7": "Operation",
    "8": "Where the time goes",
}


def table() -> str:
    """docs/nginx-rules.md."""
    return _index(all_rules())


def pages() -> dict[str, str]:
    """Rule -> its page."""
    return {listed.rule.id: _page(listed) for listed in all_rules()}


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
    counts = [f"{sum(listed.rule.severity is level for listed in rules)} {noun}s" for level, noun in NOUNS.items()]
    parts = [
        "<!-- Written by `make docs` from the rules' modules. -->",
        "# Rules of `gunicorn-autotune nginx check`",
        "",
        f"{len(rules)} rules: {', '.join(counts)}. Each title is what a good configuration does. "
        "`gunicorn-autotune nginx check --explain NGX001` says why, with the figures; so does the head of the rule's "
        "file, linked here. `make rule-pages` in a clone writes the same with a configuration that breaks the rule "
        "and the change that mends it. [How to use the check](nginx.md)",
    ]
    for digit, group in GROUPS.items():
        own = [listed for listed in rules if listed.rule.id[3] == digit]
        if own:
            parts += ["", f"## {group}", "", "| rule | severity | a good configuration |", "|---|---|---|"]
            parts += map(_row, own)
    return "\n".join(parts) + "\n"


def _row(listed: Listed) -> str:
    rule, file = listed.rule, listed.check.__module__.replace(".", "/")
    name = f'<a id="{rule.id.lower()}"></a>[{rule.id}](../src/{file}.py)'
    return f"| {name} | {rule.severity.value} | {rule.title} |"


if __name__ == "__main__":
    if sys.argv[1:] == ["--pages"]:
        (DOCS / "nginx").mkdir(exist_ok=True)
        for rule, text in pages().items():
            (DOCS / "nginx" / f"{rule}.md").write_text(text)
    else:
        (DOCS / "nginx-rules.md").write_text(table())
