"""The recommendation in docs/nginx.md: UNIX or TCP, kept or not, for each worker class, from the kept figures."""

from __future__ import annotations

import re
from typing import Any

from benchmarks.faults.options import ROOT
from benchmarks.faults.page import markdown
from benchmarks.faults.tables import Table

PAGE = ROOT / "docs" / "nginx.md"
BEGIN, END = "<!-- figures, by `python -m benchmarks.nginx --page` -->\n", "<!-- end of figures -->"
PART = re.compile(f"(?<={re.escape(BEGIN)}).*?(?={END})", re.DOTALL)
CLIENTS = "32"
WAYS = {"unix_kept": "UNIX, kept", "unix_off": "UNIX, not kept", "tcp_kept": "TCP, kept", "tcp_off": "TCP, not kept"}
MATTERS = 1.1
"""Less than a tenth is within what two runs differ by."""


def page(parts: dict[str, dict[str, Any]], text: str) -> str:
    """docs/nginx.md with the figures of `parts` in their place."""
    return PART.sub(lambda _: "\n".join(lines(parts)) + "\n", text)


def lines(parts: dict[str, dict[str, Any]]) -> list[str]:
    """The table of the gain, and what a kept connection costs a new worker."""
    gain, share = parts.get("gain", {}), parts.get("share", {})
    if "classes" not in gain:
        return ["Not measured yet.", ""]
    rows = tuple((name, advice(name, ways), *map(_figure, _of(ways))) for name, ways in gain["classes"].items())
    table = Table(
        f"requests/s (p99) with {CLIENTS} clients", ("worker class", "take", *WAYS.values()), rows
    )  # fmt: skip
    return [*_caption(gain), *markdown(table)[2:], *_shares(share)]


def _caption(gain: dict[str, Any]) -> list[str]:
    short = ", a short run" if gain.get("quick") else ""
    machine = gain["machine"]
    return [
        f"Requests a second and p99, {CLIENTS} clients, an app that does nothing, medians of {gain['repeats']}; "
        f"Gunicorn {machine['gunicorn']}, nginx {machine['nginx']}, {machine['cores']} cores for all three{short}. "
        "An app that takes 20 ms gains that much less. [All figures](nginx-measured.md)",
        "",
    ]


def _of(ways: dict[str, Any]) -> list[dict[str, Any]]:
    return [ways[way][CLIENTS] for way in WAYS]


def _figure(one: dict[str, Any]) -> str:
    return f"{one['per_second']:,.0f} ({one['p99_seconds'] * 1000:.0f} ms)"


def advice(name: str, ways: dict[str, Any]) -> str:
    """In words, from the figures: a difference below a tenth decides nothing."""
    rate = {way: ways[way][CLIENTS]["per_second"] for way in WAYS}
    kept = name != "sync" and min(rate["unix_kept"] / rate["unix_off"], rate["tcp_kept"] / rate["tcp_off"]) >= MATTERS
    end = "kept" if kept else "off"
    ratio = rate[f"unix_{end}"] / rate[f"tcp_{end}"]
    socket = "UNIX" if ratio >= MATTERS else "TCP" if ratio <= 1.0 / MATTERS else "either"
    if name == "sync":
        return f"{socket}; sync closes every connection, keepalive does nothing"
    return f"{socket}, {'kept' if kept else 'not kept'}" + (" (before 27.0.1 not kept)" if name == "gthread" else "")


def _shares(share: dict[str, Any]) -> list[str]:
    """What kept connections cost a worker that is new."""
    if "runs" not in share:
        return []
    rows = tuple(
        (one["title"], "ours" if one["ours"] else "nginx's defaults", _seconds(one, "median"), _seconds(one, "worst"))
        for one in share["runs"]
    )
    return [
        "From TTIN until the new worker has half of an equal share of the requests:",
        "",
        *markdown(Table("share", ("server", "kept connections", "median", "worst"), rows))[2:],
    ]


def _seconds(one: dict[str, Any], which: str) -> str:
    value = one.get(f"{which}_seconds")
    return f"over {one['longest_seconds']:.0f} s" if value is None else f"{value:.1f} s"
