"""One rule over a small configuration written in a test."""

from __future__ import annotations

from gunicorn_autotune.nginx.rules import Listed, all_rules
from gunicorn_autotune.nginx.rules.check import check
from gunicorn_autotune.nginx.rules.finding import Finding
from gunicorn_autotune.nginx.write.edits import changed
from tests.nginx_samples import MAIN, site_from

GTHREAD = '#: gunicorn.worker_class = "gthread"\n#: gunicorn.threads = 4\n'
KEPT = 'proxy_http_version 1.1; proxy_set_header Connection "";'


def written(
    *,
    said: str = GTHREAD,
    main: str = "",
    http: str = "",
    upstream: str = "",
    server: str = "",
    location: str = "",
    more: str = "",
) -> str:
    """A configuration whose `location /` leads to `upstream shop`, Gunicorn's; an argument is what stands there too."""
    return f"""{said}{main}
events {{}}
http {{
    {http}
    upstream shop {{
        server 127.0.0.1:8000;
        {upstream}
    }}
    server {{
        listen 80;
        {server}
        location / {{
            proxy_pass http://shop;
            {location}
        }}
        {more}
    }}
}}
"""


def found(rule: str, text: str) -> tuple[Finding, ...]:
    """What one rule says, errors of its own raised."""
    return check(site_from({MAIN: text}), [_listed(rule)], strict=True).findings


def cured(rule: str, text: str) -> str:
    """The configuration after the rule's edits."""
    return changed(text, [edit for one in found(rule, text) for edit in one.edits])


def _listed(rule: str) -> Listed:
    return next(listed for listed in all_rules() if listed.rule.id == rule)
