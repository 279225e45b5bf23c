"""docs/settings.md, written from the declarations in policy.py."""

from __future__ import annotations

import dataclasses

from gunicorn_autotune.model.environment import ENVIRONMENT_PREFIX
from gunicorn_autotune.model.policy import Policy

HEAD = """# Settings

<!-- Written by `make docs` from src/gunicorn_autotune/model/policy.py; a test holds it fresh. -->

In a configuration file: `install(globals(), max_workers=16)`. In the environment, which beats the file:
`{prefix}MAX_WORKERS=16`. A name that does not exist or a value out of range stops the boot with one line.
An empty variable counts as not set, and Kubernetes' variables for a Service of that name (`{prefix}PORT=tcp://...`) are
no settings. During a reload (HUP) the running settings stay instead, and the line is logged.

| setting | default | unit | bounds | what it means |
|---|---|---|---|---|
"""


def settings_page() -> str:
    """The whole page as Markdown."""
    rows = []
    for spec in dataclasses.fields(Policy):
        rule = spec.metadata
        bounds = " / ".join(f"`{choice}`" for choice in rule["choices"]) or _range(rule["low"], rule["high"])
        default = f"`{spec.default}`" if spec.default != "" else "(empty)"
        rows.append(f"| `{spec.name}` | {default} | {rule['unit']} | {bounds} | {rule['help']} |\n")
    return HEAD.format(prefix=ENVIRONMENT_PREFIX) + "".join(rows)


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return ""
    return f"{low:.10g} to {high:.10g}" if high is not None else f"at least {low:.10g}"


if __name__ == "__main__":
    print(settings_page(), end="")
