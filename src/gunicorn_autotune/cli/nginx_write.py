"""Rendered files against what is in a folder: compared, told as a diff, written all or none."""

from __future__ import annotations

import contextlib
import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from gunicorn_autotune.cli.style import CommandError
from gunicorn_autotune.nginx.write.stamp import stamp_of

EXISTS = 1
KEPT, NEW = ".old", ".new"
SHARED = "conf.d"
"""The folder of all sites, whose files begin with the site's name."""


class State(str, Enum):
    """A file of the folder beside the rendered one."""

    NEW = "new"
    SAME = "same"
    CHANGED = "changed"
    """Ours, and as it was written."""
    EDITED = "edited by hand"
    """Also a file that was never ours."""
    LEFT = "no longer needed"
    """Ours, as it was written, and not rendered any more."""


@dataclass(frozen=True, slots=True)
class Change:
    """One file."""

    path: Path
    state: State
    before: str = ""
    after: str = ""


def compared(folder: Path, files: Mapping[str, str]) -> dict[str, Change]:
    """By name; a CommandError for a file that cannot be read."""
    changes = {name: _change(folder / name, text) for name, text in files.items()}
    return changes | {name: change for name, change in _left(folder, files).items() if name not in changes}


def _change(path: Path, after: str) -> Change:
    before = _read(path)
    if before is None:
        return Change(path, State.NEW, after=after)
    if before == after:
        return Change(path, State.SAME, before, after)
    stamp = stamp_of(before)
    state = State.EDITED if stamp is None or stamp.edited else State.CHANGED
    return Change(path, state, before, after)


def _left(folder: Path, files: Mapping[str, str]) -> dict[str, Change]:
    """Files of an earlier rendering, in the folders that this one fills."""
    found = {}
    folders = sorted({str(Path(name).parent) for name in files})
    for below in folders:
        for path in sorted((folder / below).glob("*.conf")):
            # conf.d holds the files of other sites too; theirs are needed.
            if below == SHARED and path.name.rpartition("-")[0] not in folders:
                continue
            name = str(path.relative_to(folder))
            stamp = stamp_of(_read(path) or "") if name not in files else None
            if stamp is not None and not stamp.edited:
                found[name] = Change(path, State.LEFT, before=_read(path) or "")
    return found


def _read(path: Path) -> str | None:
    """The text; None where there is no such file."""
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise CommandError(f"cannot read {path}: no regular file; nothing was written")
        return path.read_text("utf-8", "surrogateescape")
    except FileNotFoundError:
        if path.is_symlink():
            raise CommandError(f"{path}: a link that leads nowhere; move away first, nothing was written") from None
        return None
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}; nothing was written") from None


def diff(changes: Mapping[str, Change]) -> str:
    """A unified diff of the folder's files against the rendered ones; empty where nothing differs."""
    text = ""
    for name, change in sorted(changes.items()):
        old, new = (f"a/{name}", f"b/{name}")
        if change.state is State.NEW:
            old = "/dev/null"
        elif change.state is State.LEFT:
            new = "/dev/null"
        lines = difflib.unified_diff(
            change.before.splitlines(keepends=True), change.after.splitlines(keepends=True), old, new
        )
        text += "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)
    return text.encode("utf-8", "replace").decode()


def refuse_overwriting(folder: Path, changes: Mapping[str, Change]) -> None:
    """Without --force nothing that exists is touched."""
    there = {state: [name for name, one in changes.items() if one.state is state] for state in State}
    changed = there[State.CHANGED] + there[State.EDITED] + there[State.LEFT]
    if changed:
        edited = f" ({len(there[State.EDITED])} edited by hand)" if there[State.EDITED] else ""
        shown = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
        raise CommandError(
            f"{folder}: {shown} would change{edited}, so nothing was written; --diff shows how, --force replaces",
            EXISTS,
        )


def write(changes: Mapping[str, Change]) -> None:
    """All of them or none; what was edited by hand is kept beside it as NAME.old, which must be free."""
    todo = [change for change in changes.values() if change.state is not State.SAME]
    for change in todo:
        if change.state is State.EDITED and os.path.lexists(_beside(change.path, KEPT)):
            raise CommandError(f"{_beside(change.path, KEPT)}: exists; move away first, nothing was written", EXISTS)
    written: list[Path] = []
    done: list[Change] = []
    try:
        for change in todo:
            if change.state is not State.LEFT:
                _prepare(_beside(change.path, NEW), change.after, written)
        for change in todo:
            _carry_out(change)
            done.append(change)
    except OSError as error:
        for change in done:
            _undo(change)
        for path in written:
            path.unlink(missing_ok=True)
            _remove_empty(path.parent)
        raise CommandError(f"cannot write {error.filename}: {error.strerror}; nothing was written") from None


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _prepare(path: Path, text: str, written: list[Path]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            written.append(path)
            file.write(text)
    except OSError as error:
        # A full disk names no file.
        error.filename = str(path)
        raise


def _carry_out(change: Change) -> None:
    if change.state is State.LEFT:
        change.path.unlink()
        return
    if change.state is State.EDITED:
        change.path.rename(_beside(change.path, KEPT))
    try:
        _beside(change.path, NEW).replace(change.path)
    except OSError:
        if change.state is State.EDITED:
            _beside(change.path, KEPT).rename(change.path)
        raise


def _undo(change: Change) -> None:
    with contextlib.suppress(OSError):
        if change.state is State.NEW:
            change.path.unlink(missing_ok=True)
        elif change.state is State.EDITED:
            _beside(change.path, KEPT).replace(change.path)
        else:
            change.path.write_text(change.before, "utf-8", "surrogateescape")


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
        folder.parent.rmdir()
