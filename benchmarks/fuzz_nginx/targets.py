"""What is fed. A target takes the files and says how they were judged; whatever it raises is a fault."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.fuzz_nginx.checked import check_files
from benchmarks.fuzz_nginx.inputs import MAIN, Files
from benchmarks.fuzz_nginx.reading import COMPARED_CHARACTERS, Texts, read

from gunicorn_autotune.nginx.read.dump import Dump
from gunicorn_autotune.nginx.read.reader import NginxSyntaxError

Target = Callable[[Files], str]


def read_files(files: Files) -> str:
    """The parser on files."""
    return "accepted" if read(Texts(files), MAIN) else "refused"


def read_dump(files: Files) -> str:
    """The parser on what `nginx -T` would print, which must come to the same where no file looks like a dump itself."""
    texts = Texts(files)
    huge = len(files[MAIN]) > COMPARED_CHARACTERS
    tree = None if huge else read(texts, MAIN)
    printed = files if huge else texts.reached
    try:
        dump = Dump("".join(f"# configuration file {path}:\n{text}\n" for path, text in printed.items()))
    except NginxSyntaxError:
        dumped = None
    else:
        dumped = read(dump, dump.main)
    alike = huge or any("# configuration file" in text or "nginx: " in text for text in printed.values())
    assert alike or dumped == tree, "nginx -T comes to another tree than the files"
    return "accepted" if dumped else "refused"


TARGETS: dict[str, Target] = {"files": read_files, "dump": read_dump, "check": check_files}
"""By name, for --target."""
