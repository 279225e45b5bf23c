"""python -m benchmarks.openloop http://127.0.0.1:8000/io?ms=100 --rate 10:5,150:10."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

from benchmarks.openloop.generator import MAX_OPEN, run
from benchmarks.openloop.plan import RefusedError, parse_phases, parse_target
from benchmarks.openloop.results import MAX_LATENESS_SECONDS, summarise, time_back_under


def parser() -> argparse.ArgumentParser:
    """The command line."""
    line = argparse.ArgumentParser(
        prog="python -m benchmarks.openloop",
        description="Open-loop load for a server on this host: requests leave on schedule whatever the answers do, "
        "and latency counts from the scheduled moment.",
        epilog="Exit code: 0 the run stands, 1 it does not (the generator was late), 2 it was refused.",
    )
    line.add_argument("target", help="http://127.0.0.1:PORT/PATH, http://[::1]:PORT/PATH or unix:/SOCKET[:/PATH]")
    line.add_argument("--rate", required=True, metavar="RATE:SECONDS[,...]", help="phases, such as 10:5,150:10")
    line.add_argument("--poisson", action="store_true", help="random arrivals instead of even spacing")
    line.add_argument("--seed", type=int, default=1, help="of the random arrivals (default: 1)")
    line.add_argument("--keepalive", type=int, default=0, metavar="N", help="keep up to N idle connections for reuse")
    line.add_argument("--method", default="GET", help="GET or POST (default: GET)")
    line.add_argument("--body", default="", help="form body of a POST, such as text=hello")
    line.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS", help="for each request (default: 30)")
    line.add_argument("--max-open", type=int, default=MAX_OPEN, help=f"connections at once (default: {MAX_OPEN})")
    line.add_argument("--back-under", type=float, metavar="SECONDS", help="when p95 came to stay below, in last phase")
    line.add_argument("--json", action="store_true", help="print the summary as JSON")
    return line


def main(arguments: list[str] | None = None) -> int:
    """Run as told and print; see the epilog for the exit codes."""
    told = parser().parse_args(arguments)
    try:
        phases = parse_phases(told.rate)
        result = asyncio.run(
            run(
                parse_target(told.target),
                phases,
                poisson=told.poisson,
                seed=told.seed,
                keepalive=told.keepalive,
                method=told.method,
                body=told.body.encode(),
                timeout_seconds=told.timeout,
                max_open=told.max_open,
            )
        )
    except RefusedError as error:
        print(f"openloop: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    summary = summarise(result)
    if told.back_under is not None:
        last_phase = sum(phase.seconds for phase in phases[:-1])
        back = time_back_under(result.requests, told.back_under, last_phase)
        summary["back_under_seconds"] = None if back is None else back - last_phase
    print(json.dumps(summary) if told.json else table(summary))
    return 0 if summary["valid"] else 1


def table(summary: dict[str, Any]) -> str:
    """The summary for people."""
    latency = summary["latency_seconds"]
    failed = ", ".join(f"{count} {kind}" for kind, count in summary["failed_by_kind"].items())
    lateness_ms = summary["generator_lateness_p99_seconds"] * 1000
    lines = [
        f"{summary['method']} {summary['target']}",
        f"sent {summary['sent']} of {summary['scheduled']}   ok {summary['ok']}   failed {summary['failed']}"
        + (f" ({failed})" if failed else ""),
        "latency of the ok   " + "   ".join(f"{name} {ms(value)}" for name, value in latency.items()),
        "",
        f"{'second':>6} {'requests':>9} {'p95':>10} {'failed':>7}",
    ]
    for row in summary["per_second"]:
        lines.append(f"{row['second']:>6} {row['count']:>9} {ms(row['p95_seconds']):>10} {row['failed']:>7}")
    lines.append("")
    if "back_under_seconds" in summary:
        back = summary["back_under_seconds"]
        lines.append("never back under" if back is None else f"back under, after the last phase began: {back:.2f} s")
    lines.append(f"generator lateness p99 {lateness_ms:.1f} ms")
    if not summary["valid"]:
        lines.append(f"INVALID: more than {MAX_LATENESS_SECONDS * 1000:.0f} ms late; lower the rate or free a core")
    return "\n".join(lines)


def ms(seconds: float | None) -> str:
    """Milliseconds for a table, a dash for none."""
    return "-" if seconds is None else f"{seconds * 1000:.1f} ms"


if __name__ == "__main__":
    sys.exit(main())
