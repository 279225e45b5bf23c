"""The output of `nginx -T` as files."""

from __future__ import annotations

import errno
import re

from gunicorn_autotune.nginx.glob import is_pattern, path_matches
from gunicorn_autotune.nginx.reader import MAX_CHARACTERS, MAX_FILES
from gunicorn_autotune.nginx.source import NginxSyntaxError

NAME = "nginx -T"
"""What errors call a dump."""

_HEADER = re.compile(r"^# configuration file (.+):\r?\n", re.MULTILINE)
_INCLUDE = re.compile(r"""\binclude[ \t\r\n]+(?:"([^"]+)"|'([^']+)'|([^\s;"']+))""")
_OF_NGINX_ITSELF = re.compile(
    r"^(?:nginx: (?:\[\w+\] |the configuration file .* syntax is ok|configuration file .* test )"
    r"|\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[\w+\] \d+#\d+: ).*\n",
    re.MULTILINE,
)
"""Its stderr, where both streams went to one place."""
MAX_PATTERNS = 100
"""Globs in one folder."""


class Dump:
    """A Source of what `nginx -T` printed, with or without its stderr; every file once, `main` the first.

    A file may itself hold a line like `# configuration file /etc/nginx/nginx.conf:`. Such a line is believed only when
    its path is absolute and some `include` of the text names it; else it is the comment it looks like. Two for the same
    path leave open where a file ends: NginxSyntaxError, for nothing must be judged by a guess.
    """

    def __init__(self, text: str) -> None:
        text = _OF_NGINX_ITSELF.sub("", text)
        headers = [match for match in _HEADER.finditer(text) if match[1].startswith("/")]
        if len(text) > MAX_CHARACTERS or len(headers) > MAX_FILES:
            raise NginxSyntaxError(NAME, 1, f"longer than {MAX_CHARACTERS >> 20} MB, or more than {MAX_FILES} files")
        if not headers:
            raise NginxSyntaxError(NAME, 1, 'no line "# configuration file PATH:"; did nginx -T fail?')
        self.main = headers[0][1]
        names = _Names(text, self.main)
        headers = [header for header in headers if header[1] in names]
        ends = [header.start() for header in headers[1:]] + [len(text)]
        self.files: dict[str, str] = {}
        for header, end in zip(headers, ends, strict=True):
            if header[1] in self.files:
                line = text.count("\n", 0, header.start()) + 1
                raise NginxSyntaxError(
                    NAME, line, f'a second "# configuration file {header[1]}:"; read the files instead'
                )
            # nginx adds a line feed of its own behind each file.
            self.files[header[1]] = text[header.end() : end].removesuffix("\n")

    def read(self, path: str) -> str:
        """The text of a file; FileNotFoundError when it was not dumped."""
        try:
            return self.files[path]
        except KeyError:
            raise FileNotFoundError(errno.ENOENT, "not in the output of nginx -T", path) from None

    def matches(self, pattern: str) -> list[str]:
        """Dumped paths that fit a glob, sorted."""
        return sorted(path for path in self.files if path_matches(pattern, path))


class _Names:
    """Every path that some `include` of a text may name, those in comments too."""

    def __init__(self, text: str, main: str) -> None:
        folder = main[: main.rfind("/") + 1]
        found = {next(filter(None, match.groups())) for match in _INCLUDE.finditer(text)}
        paths = {path if path.startswith("/") else folder + path for path in found}
        self.paths = paths | {main}
        self.patterns: dict[str, list[str]] = {}
        for path in filter(is_pattern, paths):
            parent = path[: path.rfind("/")]
            self.patterns.setdefault("*" if is_pattern(parent) else parent, []).append(path)

    def __contains__(self, path: str) -> bool:
        if path in self.paths:
            return True
        patterns = self.patterns.get(path[: path.rfind("/")], []) + self.patterns.get("*", [])
        if len(patterns) > MAX_PATTERNS:
            raise NginxSyntaxError(NAME, 1, f"more than {MAX_PATTERNS} globs for the folder of {path}")
        return any(path_matches(pattern, path) for pattern in patterns)
