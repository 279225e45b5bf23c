"""Configurations no one would write: real ones, broken at random, and others made of nginx's words."""

from __future__ import annotations

import random
from pathlib import Path

from gunicorn_autotune.nginx.read.reader import MAX_CHARACTERS

MAIN = "/etc/nginx/nginx.conf"
FIXTURES = Path(__file__).parents[2] / "tests" / "fixtures" / "nginx"
HUGE_CHARACTERS = (1 << 18, 1 << 20, MAX_CHARACTERS - 1, 5 << 20)
ONE_HUGE_IN = 400

Files = dict[str, str]
"""Texts by path; MAIN is where reading starts."""

BLOCKS = [
    "http", "server", "location", "upstream", "map", "geo", "types", "events", "if", "limit_except",
    "split_clients", "stream",
]  # fmt: skip
NAMES = [
    "listen", "server", "server_name", "proxy_pass", "proxy_set_header", "proxy_http_version", "keepalive",
    "keepalive_timeout", "keepalive_time", "keepalive_requests", "proxy_read_timeout", "proxy_connect_timeout",
    "proxy_next_upstream", "alias", "root", "try_files", "gzip", "gzip_types", "add_header", "expires",
    "open_file_cache", "limit_req", "limit_req_zone", "limit_conn", "client_max_body_size", "include",
    "worker_processes", "worker_connections", "worker_rlimit_nofile", "error_page", "log_format", "access_log",
    "ssl_protocols", "return", "set", "stub_status", "allow", "deny", "least_conn", "ip_hash", "zone",
    "proxy_buffering", "proxy_request_buffering", "user", "resolver", "default",
]  # fmt: skip
WORDS = [
    "on", "off", "auto", "0", "1", "-1", "32", "1.1", "60s", "1m", "5ms", "99999999999999999999", "1e9", "8k",
    "20m", "80", "[::]:443", "ssl", "http2", "127.0.0.1:8000", "unix:/run/a.sock", "http://app",
    "http://unix:/run/a.sock:/x", "https://$host", "http://", "$x", "${x}", '""', "''", '\'it"s\'', "~*",
    "~^/(.*)$", "@app", "=", "/", "/static", "/static/", "{{", "(", ")", "Host", "Connection", "$http_upgrade",
    "max=10", "inactive=30s", "zone=a:10m", "rate=1r/s", "weight=0", "fail_timeout=0", "max_fails=0", "backup",
    "down", "local", "*.conf", "sites/*", "nginx.conf", "mime.types", "\xe9", "\\", "\\n", '\\"', "${", '"a b"',
]  # fmt: skip
PIECES = [
    '"', "'", "\\", "#", ";", "{", "}", "$", " ", "\n", "\r", "\t", "\x00", "\ufeff", "\xa0", "\xe9", "*", "?", "[",
    "]", "(", ")", "${", "{\n", "}\n", ";\n", "# autotune: ignore NGX001, NGX201\n", "include *;",
    "include nginx.conf;", "include /etc/nginx/*/*;", "include /etc/nginx/conf.d/*.conf;", "content_by_lua_block {",
    "[[", "--", "# configuration file /etc/nginx/a:\n",
    "x" * 4096, "\\" * 99, "{" * 99, "a " * 999, "a;" * 999, "9" * 400,
]  # fmt: skip


def corpus() -> list[Files]:
    """The configurations of the tests, each as the /etc/nginx it would be, with the files of every host."""
    shared = _read(FIXTURES / "stock")
    return [shared | _read(folder) for folder in sorted((FIXTURES / "corpus").iterdir())]


def _read(folder: Path) -> Files:
    paths = (path for path in folder.rglob("*") if path.is_file())
    texts = {f"/etc/nginx/{path.relative_to(folder)}": path.read_text() for path in sorted(paths)}
    return {path.replace("nginx/letsencrypt", "letsencrypt"): text for path, text in texts.items()}


def drawn(chance: random.Random, known: list[Files]) -> tuple[str, Files]:
    """A configuration, and what kind it is."""
    if chance.random() < 1 / ONE_HUGE_IN:
        piece = chance.choice(PIECES) * chance.randint(1, 9) + chance.choice(PIECES)
        length = chance.choice(HUGE_CHARACTERS)
        return "huge", {MAIN: (piece * (length // len(piece) + 1))[:length]}
    if chance.random() < 0.3:
        made = {MAIN: "events {}\nhttp {\n" + _block(chance, 5) + "}\n", "/etc/nginx/mime.types": _block(chance, 1)}
        return "made", made if chance.random() < 0.6 else _broken(chance, made, known)
    return "broken", _broken(chance, dict(chance.choice(known)), known)


def _block(chance: random.Random, depth: int) -> str:
    lines = []
    for _ in range(chance.randint(0, 8)):
        words = " ".join(chance.choices(WORDS, k=chance.randint(0, 4)))
        if depth and chance.random() < 0.4:
            lines.append(f"{chance.choice(BLOCKS)} {words} {{\n{_block(chance, depth - 1)}}}\n")
        else:
            lines.append(f"{chance.choice(NAMES)} {words};\n")
    return "".join(lines)


def _broken(chance: random.Random, files: Files, known: list[Files]) -> Files:
    for _ in range(chance.randint(1, 6)):
        path = MAIN if chance.random() < 0.5 else chance.choice(sorted(files))
        files[path] = _mutated(chance, files[path], chance.choice(known)[MAIN])
    return files


def _mutated(chance: random.Random, text: str, other: str) -> str:
    start = chance.randint(0, len(text))
    end = min(len(text), start + int(chance.expovariate(1 / 40)))
    piece = text[start:end]
    return chance.choice(
        (
            lambda: text[:start] + text[end:],
            lambda: text[:start],
            lambda: text[:start] + chance.choice(PIECES) + text[end:],
            lambda: text[:start] + chance.choice(WORDS) + text[start:],
            lambda: text[:start] + piece * chance.choice((2, 9, 99)) + text[end:],
            lambda: (
                text[:start] + chr(chance.choice((0, 10, 34, 39, 92, 123, 125, chance.randint(1, 0xD7FF)))) + text[end:]
            ),
            lambda: text[:start] + other[chance.randint(0, len(other)) :],
            lambda: "\n".join(chance.sample(lines := text.split("\n"), len(lines))),
        )
    )()
