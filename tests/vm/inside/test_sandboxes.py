"""Sandboxes that take something from the sensors: what cannot be read is said to be unknown, with the reason."""

from __future__ import annotations

from typing import Any

import pytest

from tests.vm.inside.units import service

CALM = {"config": "workers = 2", "max_workers": 2}


def missing(document: Any, path: str = "") -> dict[str, str]:
    """Each place of the document that holds no value, with why."""
    if isinstance(document, dict):
        if set(document) == {"missing"}:
            return {path: document["missing"]}
        return {where: why for name, part in document.items() for where, why in missing(part, f"{path}.{name}").items()}
    if isinstance(document, list):
        return {where: why for part in document for where, why in missing(part, path).items()}
    return {}


@pytest.mark.parametrize(
    ("properties", "place"),
    [
        (["ProcSubset=pid", "MemoryAccounting=no"], ".host.memory_limit_bytes"),
        (["User=root", "CapabilityBoundingSet=CAP_SETUID CAP_SETGID CAP_CHOWN CAP_KILL"], ".workers.uss_bytes"),
    ],
)
def test_what_a_sandbox_hides_is_unknown_and_why(properties: list[str], place: str) -> None:
    """In status.json."""
    config = "workers = 2\n" + ("user = group = 'www-data'" if "User=root" in properties else "")
    with service(*properties, config=config, max_workers=2) as server:
        why = server.wait_for_status(
            lambda status: {where: why for where, why in missing(status).items() if why != "not read yet"}.get(place),
            f"{place} missing, with a reason",
        )

    assert len(why) > len("missing")
