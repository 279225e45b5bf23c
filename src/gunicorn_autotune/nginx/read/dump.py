"""The output of `nginx -T` as files."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

from gunicorn_autotune.nginx.read.glob import is_pattern, literal, path_matches
from gunicorn_autotune.nginx.read.lexer import MARK, WORD, lex
from gunicorn_autotune.nginx.read.reader import MAX_CHARACTERS, MAX_FILES, NginxSyntaxError

NAME = "nginx -T"
"""What errors call a dump."""

_HEADER = re.compile(r"^# configuration file (.+):\r?\n", re.MULTILINE)
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
    an `include` in a file before names its path, as nginx prints files in the order it opens them; else it is the
    comment it looks like. With two for the same path nobody can tell where a file ends: NginxSyntaxError.
    """

    def __init__(self, text: str) -> None:
        text = _OF_NGINX_ITSELF.sub("", text)
        headers = [match for match in _HEADER.finditer(text) if match[1].startswith("/")]
        if len(text) > 2 * MAX_CHARACTERS or len(headers) > MAX_FILES:
            limit = f"{2 * MAX_CHARACTERS >> 20} MB, or more than {MAX_FILES} files"
            raise NginxSyntaxError(NAME, 1, f"longer than {limit}")
        if not headers:
            raise NginxSyntaxError(NAME, 1, 'no line "# configuration file PATH:"; did nginx -T fail?')
        self.main = headers[0][1]
        self.files: dict[str, str] = {}
        named, path, start = _Named(self.main), self.main, 0
        ends = [header.start() for header in headers[1:]] + [len(text)]
        for header, end in zip(headers, ends, strict=True):
            if header[1] in named:
                path, start = header[1], header.end()
                if path in self.files:
                    line = text.count("\n", 0, header.start()) + 1
                    raise NginxSyntaxError(NAME, line, f'a second "{header[0].strip()}"; read the files instead')
            # nginx adds a line feed of its own behind each file.
            self.files[path] = text[start:end].removesuffix("\n")
            named.add(self.files[path])

    def read(self, path: str) -> str:
        """The text of a file; FileNotFoundError when it was not dumped."""
        try:
            return self.files[path]
        except KeyError:
            raise FileNotFoundError(errno.ENOENT, "not in the output of nginx -T", path) from None

    def matches(self, pattern: str) -> list[str]:
        """Dumped paths that fit a glob, sorted."""
        return sorted(path for path in self.files if path_matches(pattern, path))


class _Named:
    """Every path that the main file, or an `include` seen so far, names."""

    def __init__(self, main: str) -> None:
        self.folder = main[: main.rfind("/") + 1]
        self.paths = {main}
        self.patterns: dict[str, set[str]] = {}
        """By folder; under `*` those whose folder is a pattern itself."""

    def add(self, text: str) -> None:
        """The includes of a text."""
        for path in _includes(text):
            path = path if path.startswith("/") else self.folder + path
            if is_pattern(path):
                parent = path[: path.rfind("/")]
                self.patterns.setdefault("*" if is_pattern(parent) else literal(parent), set()).add(path)
            else:
                self.paths.add(path)

    def __contains__(self, path: str) -> bool:
        if path in self.paths:
            return True
        patterns = self.patterns.get(path[: path.rfind("/")], set()) | self.patterns.get("*", set())
        if len(patterns) > MAX_PATTERNS:
            raise NginxSyntaxError(NAME, 1, f"more than {MAX_PATTERNS} globs for the folder of {path}")
        return any(path_matches(pattern, path) for pattern in patterns)


def _includes(text: str) -> Iterator[str]:
    """What the `include`s of a file name; of one that may yet prove wrong, as far as it can be read."""
    words: list[str] = []
    try:
        for token in lex(text, NAME) if "include" in text else ():
            if token.kind == WORD:
                words.append(token.text)
            elif token.kind == MARK:
                if words[:1] == ["include"]:
                    yield from words[1:]
                words = []
    except NginxSyntaxError:
        return
