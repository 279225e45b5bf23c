"""The rules, one a file, named for what they find: `ngx003_keepalive_missing.py` is NGX003.

Each holds `RULE` and `check(site)`, and its docstring is the rule's page: why, with the figures, what to do, and when
to ignore it. A new rule is a new file here, a configuration that makes it fire and one that does not
(tests/fixtures/nginx/rules/NGX003/fires.conf, silent.conf), and `make docs` for the table in docs/nginx-rules.md. The
tests find it by themselves. Rules do not import one another: what several need is in shared/.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gunicorn_autotune.nginx.rules.finding import Finding, Rule
from gunicorn_autotune.nginx.site.site import Site

Check = Callable[[Site], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Listed:
    """A rule with what its module holds."""

    rule: Rule
    check: Check
    page: str
    """The docstring: why it matters, what to do, where the figures come from."""


def all_rules() -> list[Listed]:
    """Every rule of this folder, by number."""
    names = sorted(name for _, name, _ in pkgutil.iter_modules(__path__) if name.startswith("ngx"))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return [Listed(module.RULE, module.check, (module.__doc__ or "").strip()) for module in modules]
