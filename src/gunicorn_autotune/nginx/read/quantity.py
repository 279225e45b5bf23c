"""nginx's times and sizes, and versions, as numbers."""

from __future__ import annotations

import functools
import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "M": 2592000.0, "y": 31536000.0}
_BYTES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def seconds(text: str) -> float | None:
    """`4s`, `1m 30s`, `500ms`, `60` as seconds (ngx_parse_time); None for anything else, such as a variable."""
    parts = re.findall(r"(\d+)(ms|[smhdwMy]?)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text.replace(" ", ""):
        return None
    return sum(int(number) * _SECONDS[unit or "s"] for number, unit in parts)


def size_bytes(text: str) -> int | None:
    """`8k`, `20m`, `1024` as bytes (ngx_parse_offset); None for anything else."""
    match = re.fullmatch(r"(\d+)([kmg]?)", text.lower())
    return int(match[1]) * _BYTES[match[2]] if match else None


@functools.lru_cache(maxsize=64)
def version_of(text: str) -> tuple[int, ...]:
    """`1.29.7` and `27.0.1rc1` as numbers; () when there are none."""
    match = re.match(r"\d+(\.\d+)*", text)
    return tuple(map(int, match[0].split("."))) if match else ()
