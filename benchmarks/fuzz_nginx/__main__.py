"""Feed odd configurations to the parser until time is up: python -m benchmarks.fuzz_nginx --minutes 10

Exit code 1 at the first exception, or input that takes longer than 5 s of CPU time; its files are kept. The same
seed makes the same inputs: --seed 7 --only 4711 makes input 4711 alone.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from benchmarks.fuzz_nginx.inputs import Files, corpus, drawn
from benchmarks.fuzz_nginx.targets import TARGETS

SECONDS = 5.0
OUT = Path(__file__).parents[1] / "out" / "fuzz_nginx"


class TooSlow(BaseException):
    """The CPU time of one input is over; no `except Exception` holds it up."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; the exit code."""
    options = parsed_options(arguments)
    signal.signal(signal.SIGPROF, _too_slow)
    known, judged, slowest = corpus(), Counter[str](), (0.0, "")
    end = time.monotonic() + options.minutes * 60
    number = options.only or 0
    while time.monotonic() < end:
        kind, files = drawn(random.Random(f"{options.seed}:{number}"), known)
        for name in options.target:
            started = time.process_time()
            fault = fed(name, files, judged, kind)
            slowest = max(slowest, (time.process_time() - started, f"input {number}, {kind}, {name}"))
            if fault:
                return kept(f"{options.seed}-{number}", files, f"input {number}, {kind}, {name}:\n{fault}")
        number += 1
        if options.only is not None:
            break
    print(f"seed {options.seed}: inputs {options.only or 0}..{number - 1}, no crash, none over {SECONDS:g} s")
    print(f"slowest {slowest[0]:.2f} s: {slowest[1]}")
    print("\n".join(f"{count:8d} {name}" for name, count in sorted(judged.items())))
    return 0


def parsed_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--minutes", type=float, default=1.0)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--only", type=int, help="the number of one input")
    options.add_argument("--target", action="append", choices=TARGETS, help="default: all")
    found = options.parse_args(arguments)
    found.target = found.target or list(TARGETS)
    return found


def fed(name: str, files: Files, judged: Counter[str], kind: str) -> str:
    """What went wrong, or nothing."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        judged[f"{kind}, {name}, {TARGETS[name](files)}"] += 1
    except (Exception, TooSlow):
        return traceback.format_exc(limit=-12)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return ""


def kept(name: str, files: Files, fault: str) -> int:
    """Write the input down, say so, and fail."""
    for path, text in files.items():
        place = OUT / name / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode("utf-8", "surrogatepass"))
    print(f"{fault}\nkept in {OUT / name}")
    return 1


def _too_slow(_signal: int, _frame: FrameType | None) -> None:
    raise TooSlow(f"longer than {SECONDS:g} s")


if __name__ == "__main__":
    sys.exit(main())
