"""What the pages do to a worker (burn, keep), and how their parameters are read. No framework in here."""

from __future__ import annotations

import re
import threading
import time

MAX_CPU_MS = 2_000
MAX_IO_MS = 10_000
MAX_KEPT_BYTES = 200 * 1024 * 1024


class BadParameterError(ValueError):
    """A query or form parameter breaks its rule; the message names the parameter, the value and the rule."""

    def __init__(self, name: str, value: str, rule: str) -> None:
        shown = value if len(value) <= 40 else value[:40] + "..."
        # ascii() keeps the message on one line whatever was sent.
        super().__init__(f"{name} = {ascii(shown)[1:-1] or '(empty)'}, must be {rule}")


def whole_number(name: str, text: str | None, default: int, lowest: int, highest: int) -> int:
    """The parameter as an int within lowest..highest, the default when it is absent."""
    if text is None:
        return default
    # Not int() alone: that takes "1_000" and " 7 ", and refuses 5,000 digits with an error of its own.
    if re.fullmatch(r"[0-9]{1,9}", text) and lowest <= int(text) <= highest:
        return int(text)
    raise BadParameterError(name, text, f"a whole number from {lowest} to {highest}")


def share(name: str, text: str | None, default: float) -> float:
    """The parameter as a float within 0..1, the default when it is absent."""
    if text is None:
        return default
    if re.fullmatch(r"[0-9]{0,9}\.?[0-9]{1,9}", text) and float(text) <= 1:
        return float(text)
    raise BadParameterError(name, text, "a share from 0 to 1, such as 0.01")


def one_of(name: str, text: str | None, default: str, choices: tuple[str, ...]) -> str:
    """The parameter if it is one of the choices, the default when it is absent."""
    if text is None:
        return default
    if text in choices:
        return text
    raise BadParameterError(name, text, "one of " + ", ".join(choices))


def burn_cpu(ms: int) -> float:
    """Compute until this thread has used `ms` of CPU time; returns the milliseconds really used."""
    began = time.thread_time()
    # Thread time, not wall time: on a busy host the same work takes longer, and that is what one wants to see.
    while (used := time.thread_time() - began) < ms / 1000:
        sum(range(1000))
    return used * 1000


class Leak:
    """Memory kept on purpose, at most `max_bytes` in each worker."""

    def __init__(self, max_bytes: int = MAX_KEPT_BYTES) -> None:
        self.max_bytes = max_bytes
        self.kept_bytes = 0
        self._kept: list[bytes] = []
        self._lock = threading.Lock()

    def keep(self, size_bytes: int) -> bool:
        """Keep that many bytes more; False, and nothing kept, when that would pass the bound."""
        with self._lock:
            if self.kept_bytes + size_bytes > self.max_bytes:
                return False
            # Ones, not zeros: the kernel hands out zeroed pages only when touched, so zeros would not show in RSS.
            self._kept.append(b"\x01" * size_bytes)
            self.kept_bytes += size_bytes
            return True
