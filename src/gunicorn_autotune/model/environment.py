"""Which environment variables are settings of ours, and which only look like it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

ENVIRONMENT_PREFIX = "GUNICORN_AUTOTUNE_"
_ADDRESS = re.compile(r"[a-z]+://", re.IGNORECASE)
_LINK = re.compile(
    r"(^|_)(?:SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?|(?P<address>PORT))$"
)
"""What Kubernetes puts into every pod for each Service of its namespace. For a Service `gunicorn-autotune`:
GUNICORN_AUTOTUNE_SERVICE_HOST, _SERVICE_PORT, _SERVICE_PORT_<NAME>, _PORT, _PORT_9877_TCP, _PORT_9877_TCP_ADDR ...;
for `gunicorn-autotune-metrics` the same after GUNICORN_AUTOTUNE_METRICS. Docker's links have such names too."""


def settings_in(environment: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Variable, name of the setting and text of each variable that is meant for us.

    An empty variable is one that is not set: Compose and Helm pass on what nobody filled in.
    """
    for variable, text in environment.items():
        name = variable.removeprefix(ENVIRONMENT_PREFIX)
        if name != variable and text.strip() and not _is_service_link(name, text):
            yield variable, name.lower(), text


def _is_service_link(name: str, text: str) -> bool:
    """A `..._PORT` is one only with an address in it: `GUNICORN_AUTOTUNE_PORT=9877` is a slip to be told."""
    link = _LINK.search(name)
    return link is not None and (link["address"] is None or _ADDRESS.match(text.strip()) is not None)
