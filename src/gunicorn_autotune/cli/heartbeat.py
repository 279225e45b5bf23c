"""Where Gunicorn's heartbeat files should lie: each worker touches one, and a blocked write gets it killed."""

from __future__ import annotations

import os
from pathlib import Path

from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.sensors import limits

MEMORY_FOLDER = "/dev/shm"
PROC = Path("/proc")


def memory_folder_works(proc: Path = PROC) -> bool:
    """Whether /dev/shm is there, in memory and writable."""
    filesystem = limits.read_filesystem(Path(MEMORY_FOLDER), proc)
    in_memory = not isinstance(filesystem, Missing) and limits.is_in_memory(filesystem)
    return in_memory and os.access(MEMORY_FOLDER, os.W_OK)
