"""The status document as a page of at most 100 columns. Pure: document in, text out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from gunicorn_autotune.cli.gaps import UNKNOWN, Gaps
from gunicorn_autotune.cli.status_words import why_text
from gunicorn_autotune.cli.status_workers import worker_lines
from gunicorn_autotune.cli.style import WIDEST, Style, bytes_text, figure, seconds_text, table, wrapped
from gunicorn_autotune.cli.words import BAD_ENDS, CALM, CAPS, MODE_NOTES, MODES, cause_text, reason_text
from gunicorn_autotune.model.printable import printable
from gunicorn_autotune.model.status import DOCUMENT_VERSION, Mode

DECISIONS_SHOWN = 10
FACTS: dict[str, Callable[[float], str]] = {
    "backlog": lambda it: f"{it:.0f} waiting",
    "arrivals_per_second": lambda it: f"{figure(it)} requests/s arrive",
    "busy_share": lambda it: f"{it:.0%} busy",
    "service_seconds": lambda it: f"{_short(it)} a request",
    "queue_p95_seconds": lambda it: f"queue p95 {_short(it)}",
    "booting_workers": lambda it: f"{it:.0f} booting" if it else "",
    "quota_full_share": lambda it: f"CPU quota used up in {it:.0%} of the time" if it >= 0.01 else "",
}
"""The figures behind a decision, in words; the others stand elsewhere on the page or only in --json."""


def page(document: Mapping[str, Any], style: Style, trouble: list[str]) -> str:
    """The whole page; `trouble` is what the health probes complain about."""
    lines = [style.paint("red", line) for line in trouble]
    if "missing" in document:
        return "\n".join(lines)
    gaps = Gaps()
    lines += [*_header(document, style, gaps), "", *_limits(document, style, gaps), ""]
    lines += worker_lines(document, style, gaps)
    lines += ["", *_decisions(document, style)]
    notes = [*_errors(document, style), *_differences(document), *gaps.notes(WIDEST), *_site_line(document, style),
             _server_line(document, style)]  # fmt: skip
    return "\n".join([*lines, "", *notes])


def _header(document: Mapping[str, Any], style: Style, gaps: Gaps) -> list[str]:
    mode, bottleneck = str(document["mode"]), gaps.show("bottleneck", document["bottleneck"], str)
    parts = [
        style.paint(MODES.get(mode, "yellow"), mode),
        style.paint("bold", f"workers {_now(document)} -> {document['target']}"),
        "demand " + gaps.show("demand", document["demand"], figure),
        f"cap {_cap(document)}",
        f"bottleneck {bottleneck if bottleneck in (CALM, UNKNOWN) else style.paint('yellow', bottleneck)}",
    ]
    lines = ["   ".join(parts), *wrapped(why_text(document), WIDEST)]
    if mode != Mode.FALLBACK.value:
        lines.append(style.paint("dim", style.fit(_facts(document["decision"]))))
    return list(filter(None, lines)) + ([style.paint("yellow", MODE_NOTES[mode])] if mode in MODE_NOTES else [])


def _now(document: Mapping[str, Any]) -> int:
    """Workers that are or will be capacity: the draining do not count."""
    return sum(worker["state"] != "draining" for worker in document["workers"])


def _cap(document: Mapping[str, Any]) -> str:
    if document["cap"] is None:
        return UNKNOWN
    names = [CAPS.get(name, name) for name, limit in document["caps"].items() if limit == document["cap"]]
    return f"{document['cap']} ({', '.join(names)})"


def _facts(decision: Mapping[str, Any]) -> str:
    known = [say(decision["facts"][name]) for name, say in FACTS.items() if name in decision["facts"]]
    return ", ".join(filter(None, known))


def _limits(document: Mapping[str, Any], style: Style, gaps: Gaps) -> list[str]:
    host = document["host"]
    rows = [_cpu_row(document, gaps), _memory_row(document, gaps), *_listener_rows(document, gaps)]
    pids = [gaps.show("pids used", host["pids_used"], str), gaps.show("pids limit", host["pids_limit"], str)]
    if pids[1] != "unlimited":
        rows.append(("pids", f"{pids[0]} of {pids[1]}", ""))
    else:
        gaps.forget("pids used")
    if isinstance(host.get("files_limit"), int):
        used = gaps.show("open files", host["files_used"], str)
        rows.append(("open files", f"{used} of {host['files_limit']}", "of the arbiter"))
    return [style.fit(line) for line in table(rows, left=frozenset({0, 1, 2}))]


def _cpu_row(document: Mapping[str, Any], gaps: Gaps) -> tuple[str, str, str]:
    host = document["host"]
    used = document["decision"]["facts"].get("cpu_cores_used", {"missing": "not measured yet"})
    limit = document["policy"].get("cpu_limit_cores") or host["cpu_limit_cores"]
    stalled = gaps.show("cpu pressure", host["cpu_pressure"], lambda it: f"{it['some_avg10_share']:.0%}")
    throttled = gaps.show("throttled time", host["cpu_throttled_seconds"], seconds_text)
    gaps.show("cpu quota", host.get("cpu_quota_cores", "unlimited"), str)
    shown = f"{gaps.show('cpu used', used, figure)} of {gaps.show('cpu limit', limit, figure)} cores"
    return "cpu", shown, f"pressure {stalled}, throttled {throttled}"


def _memory_row(document: Mapping[str, Any], gaps: Gaps) -> tuple[str, str, str]:
    host = document["host"]
    used, limit, origin = host["memory_used_bytes"], host["memory_limit_bytes"], host.get("memory_limit_origin")
    if written := document["policy"].get("memory_limit_bytes"):
        own = host.get("memory_own_bytes")
        known = all(isinstance(one, int) for one in (used, limit, own))
        # The one with less room is in force (memory_in_force of model/policy.py).
        if not known or written - own <= limit - used:
            used, limit, origin = own, written, "memory_limit_bytes"
    stalled = gaps.show("memory pressure", host["memory_pressure"], lambda it: f"{it['some_avg10_share']:.0%}")
    share = f"{used / limit:.0%} used, " if isinstance(used, int) and isinstance(limit, int) and limit else ""
    kills = gaps.show("OOM kills", host["oom_kills"], str)
    shown = f"{gaps.show('memory used', used, bytes_text)} of {gaps.show('memory limit', limit, bytes_text)}"
    notes = ("" if kills == "0" else f", {kills} OOM kills") + (f", {origin}" if isinstance(origin, str) else "")
    return "memory", shown, f"{share}pressure {stalled}{notes}"


def _listener_rows(document: Mapping[str, Any], gaps: Gaps) -> list[tuple[str, str, str]]:
    rows = []
    for listener in document["listeners"]:
        address = listener["address"].removeprefix("http://").removeprefix("https://")
        waiting = gaps.show(f"backlog of {address}", listener["backlog"], str)
        limit = gaps.show(f"backlog limit of {address}", listener["backlog_limit"], str)
        rows.append(("backlog", f"{waiting} of {limit}", address))
    if more := document.get("left_out", {}).get("listeners"):
        rows.append(("backlog", "?", f"{more} more listeners, for which the status document has no room"))
    return rows


def _decisions(document: Mapping[str, Any], style: Style) -> list[str]:
    recent = document["recent_decisions"][-DECISIONS_SHOWN:]
    if not recent:
        return [style.paint("dim", "No change of the worker count so far.")]
    made = " that would have been made" if document["mode"] == Mode.OBSERVE.value else ""
    today = _local(document["time"])[:10]
    digits = max(len(str(record["from"])) for record in recent)
    rows = [_decision_row(record, today, digits) for record in reversed(recent)]
    lines = [style.fit(line) for line in table(rows, left=frozenset({0, 1, 2, 3}))]
    head = f"last {len(recent)} changes{made}, newest first, local time"
    return [style.paint("dim", head), *lines]


def _decision_row(record: Mapping[str, Any], today: str, digits: int) -> tuple[str, ...]:
    stamp = _local(record["time"])
    shown = stamp[11:] if stamp[:10] == today else stamp
    step = f"{record['from']:>{digits}} -> {record['to']}"
    facts = _facts(record)
    why = reason_text(record["reason"]) + cause_text(record.get("cause"))
    return shown, record["action"], step, why + (f" ({facts})" if facts else "")


def _short(seconds: float) -> str:
    return seconds_text(seconds) if seconds >= 1 else f"{figure(seconds * 1000)} ms"


def _local(unix_seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix_seconds))


def _bad_ends(document: Mapping[str, Any]) -> list[str]:
    """Workers that nobody wanted to end, by how they did."""
    tally, lines = document["tally"], []
    for reason, how in BAD_ENDS.items():
        if count := tally["exits"].get(reason, 0):
            last = tally.get("last_exits", {}).get(reason)
            ago = f", the last {seconds_text(max(0.0, document['time'] - last))} ago" if last is not None else ""
            lines.append(f"workers {how}: {count}{ago}")
    return lines


def _errors(document: Mapping[str, Any], style: Style) -> list[str]:
    tally = document["tally"]
    errors = [f"{count} x {stage}" for stage, count in tally["errors"].items() if count]
    lines = [f"autotune errors: {', '.join(errors)}; see Gunicorn's error log"] if errors else []
    if tally["unmeasured_workers"]:
        lines.append(f"{tally['unmeasured_workers']} workers served unmeasured: the scoreboard was full")
    lines += _bad_ends(document)
    if tally.get("drain_kills"):
        lines.append(f"{tally['drain_kills']} workers did not leave in time and were killed")
    lines += [text.removeprefix("autotune: ") for text in document.get("refused_settings", ())]
    if document["version"] != DOCUMENT_VERSION:
        lines.append(f"status document version {document['version']}; this command knows {DOCUMENT_VERSION}: update it")
    return [style.paint("yellow", line) for line in lines]


def _differences(document: Mapping[str, Any]) -> list[str]:
    """How what runs differs from what was written."""
    sentences = document.get("gunicorn", {}).get("differences", ())
    return [text for sentence in sentences for text in wrapped(f"note: {sentence}", WIDEST)]


def _site_line(document: Mapping[str, Any], style: Style) -> list[str]:
    """Which of several sites this is; nothing of a server that does not tell."""
    server = document["server"]
    words = [str(server.get("name") or ""), f"metrics {server['metrics']}" if server.get("metrics") else ""]
    told = printable(", ".join(filter(None, words)))
    return [style.paint("dim", style.fit(told))] if told else []


def _server_line(document: Mapping[str, Any], style: Style) -> str:
    server = document["server"]
    up = seconds_text(max(0.0, document["time"] - server["started_unix_seconds"]))
    threads = f" x {document['threads']}" if document["threads"] > 1 else ""
    line = (
        f"gunicorn {server['gunicorn']}, {server['worker_class']}{threads}, autotune {server['autotune']}, "
        f"python {server['python']}, arbiter {server['pid']} up {up}"
    )
    return style.paint("dim", style.fit(line))
