"""One rule asked about a configuration written in a test."""

from __future__ import annotations

import textwrap

from gunicorn_autotune.nginx.rules import all_rules
from gunicorn_autotune.nginx.rules.check import check
from gunicorn_autotune.nginx.rules.finding import Finding
from gunicorn_autotune.nginx.write.edits import changed
from tests.nginx_samples import MAIN, site_from

RULES = {listed.rule.id: listed for listed in all_rules()}
HTTP = "http {\n    upstream shop { server 127.0.0.1:8000; }\n    server {\n        listen 80;\n%s\n    }\n}\n"


def asked(rule: str, text: str, files: dict[str, str] | None = None) -> tuple[Finding, ...]:
    """What a rule finds; `text` is the main file with its `#: ` lines."""
    return check(site_from({MAIN: textwrap.dedent(text)} | (files or {})), [RULES[rule]], strict=True).findings


def levels(rule: str, text: str, files: dict[str, str] | None = None) -> list[str]:
    """How bad each finding is: `["error", "info"]`."""
    return [one.level.value for one in asked(rule, text, files)]


def cured(rule: str, text: str) -> str:
    """The main file with the proposed change in it."""
    text = textwrap.dedent(text)
    return changed(text, [edit for one in asked(rule, text) for edit in one.edits if edit.file == MAIN])


def location(inner: str, said: str = '#: gunicorn.worker_class = "gthread"', server: str = "") -> str:
    """A site whose one location passes to Gunicorn."""
    body = f"{server}\n        location / {{\n            proxy_pass http://shop;\n{inner}\n        }}"
    return f"{said}\nevents {{}}\n{HTTP % body}"


def upstream(servers: str, said: str = "", main: str = "events {}") -> str:
    """A site whose one upstream holds these lines."""
    head = "\n".join(f"#: {line}" for line in said.splitlines() if line.strip())
    return f"""{head}
{main}
http {{
    upstream shop {{
        {servers}
    }}
    server {{
        listen 80;
        location / {{ proxy_pass http://shop; }}
    }}
}}
"""
