"""The same app after one second of CPU at import, as a large framework would take."""

from burn import app, burn

__all__ = ["app"]

IMPORT_CPU_SECONDS = 1.0

burn(IMPORT_CPU_SECONDS)
