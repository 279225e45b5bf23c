"""What is mounted where: /proc/self/mountinfo, the one place that tells where the cgroup controllers live."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.sensors.files import read_text

_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of mountinfo, the fields we use."""

    root: str
    """The directory of that filesystem which is shown here: `/`, or `/docker/<id>` in a v1 container."""
    point: str
    filesystem: str
    """`cgroup`, `cgroup2`, `tmpfs`, `ext4` and so on."""
    options: tuple[str, ...]
    """Options of the superblock; for cgroup v1 the controllers are among them."""


def parse_mountinfo(text: str) -> tuple[Mount, ...]:
    """Mounts in kernel order (a later one hides an earlier one at the same point); lines of another shape are left out.

    proc(5): `36 35 98:0 /root /point options optional-fields - filesystem source super-options`.
    """
    mounts = []
    for line in text.splitlines():
        # The number of optional fields varies: count from both ends of the lone dash.
        before, dash, after = line.partition(" - ")
        left, right = before.split(" "), after.split(" ")
        if dash and len(left) >= 6 and len(right) >= 3:
            mounts.append(Mount(_plain(left[3]), _plain(left[4]), right[0], tuple(right[2].split(","))))
    return tuple(mounts)


def read_mounts(path: str) -> tuple[Mount, ...] | Missing:
    """The mounts of this process's namespace; costs about 40 us, so not for every tick."""
    text = read_text(path)
    return text if isinstance(text, Missing) else parse_mountinfo(text)


def _plain(escaped: str) -> str:
    # The kernel writes space, tab, newline and backslash as \040 and so on.
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), escaped) if "\\" in escaped else escaped
