"""`--server`: one word that names a running server, the same in every command.

A pid, a pid file, an address of Gunicorn's `bind`, its name (`-n`), or where its metrics are: URL, HOST:PORT or
unix:/path. Without it GUNICORN_AUTOTUNE_METRICS, else the one server that runs here; of several none is guessed.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gunicorn_autotune.cli.asking import Place, parse_place, read_token
from gunicorn_autotune.cli.running import Running, ping, running
from gunicorn_autotune.cli.style import CommandError, table
from gunicorn_autotune.exporter.address import AUTO, AUTO_HOST, AUTO_PORTS, parse_address
from gunicorn_autotune.model.environment import ENVIRONMENT_PREFIX
from gunicorn_autotune.model.printable import shown

METRICS = ENVIRONMENT_PREFIX + "METRICS"
OPTION = "--server"
ANY_HOSTS = frozenset({"", "0.0.0.0", "::"})
LOCALHOSTS = frozenset({"127.0.0.1", "::1"})
LONGEST_PID_FILE_BYTES = 32
HELP = (
    "pid, pid file, address of bind, name (-n), or metrics URL, HOST:PORT, unix:/path "
    f"(default: {METRICS}, else the one server that runs here)"
)


@dataclass(frozen=True, slots=True)
class Server:
    """The server that was meant."""

    place: Place | None
    """Its exporter; None while it has none."""
    command_socket: str = ""
    """Empty where only its status document tells."""
    pid: int | None = None

    def exporter(self) -> Place:
        """Where it is asked; a CommandError that says why that cannot be."""
        if self.place is None:
            raise CommandError(
                f"the server with pid {self.pid or '?'} runs, but tells no address of metrics: its setting `metrics` "
                "is off, or its log says why they cannot listen, or a reload holds it up and it answers later"
            )
        return self.place


class SeveralServersError(CommandError):
    """More than one could be meant."""

    def __init__(self, found: Sequence[Running], why: str) -> None:
        super().__init__("\n".join([f"{why}; {OPTION} PID names one of them:", *listing(found)]))
        self.found = found
        self.line = f"{why} (pids {', '.join(str(one.pid or '?') for one in found)}); {OPTION} names one of them"

    @property
    def json(self) -> str:
        """`{"servers": [...]}`, a missing figure null."""
        return json.dumps({"servers": [dataclasses.asdict(one) for one in self.found]}, indent=2)


def add_server(parser: argparse.ArgumentParser, side: argparse._ActionsContainer | None = None) -> None:
    """The options that say which server is asked, and with which token."""
    (side or parser).add_argument(OPTION, metavar="SERVER", help=HELP)
    parser.add_argument(
        "--token-file", metavar="PATH", default=os.environ.get(METRICS + "_BEARER_TOKEN_FILE", ""),
        help=f"file with the bearer token in its first line (default: {METRICS}_BEARER_TOKEN_FILE)",
    )  # fmt: skip


def token_of(options: argparse.Namespace) -> str:
    """The bearer token; empty for none."""
    return read_token(options.token_file) if options.token_file else ""


def find_server(word: str | None, environment: Mapping[str, str]) -> Server:
    """The one server that `word`, or else the environment, means; a CommandError when there is none, or several."""
    if word is None:
        return _unnamed(environment)
    word = word.strip()
    if "://" in word and not word.startswith("unix:"):
        return Server(parse_place(word, OPTION))
    path = _path(word)
    if path and _is_socket(path) and (one := ping(path)):
        return _server(one)
    found = running(environment)
    pid = _pid(word, path)
    matching = [one for one in found if (pid is not None and one.pid == pid) or means(path or word, one)]
    if len(matching) == 1:
        return _server(matching[0])
    if matching:
        raise SeveralServersError(matching, f"{OPTION} = {word!r}: {len(matching)} servers could be meant")
    if pid is None and (path or _is_address(word)):
        return Server(parse_place(f"unix:{path}" if path else word, OPTION))
    told = f" (pid {pid})" if pid is not None and str(pid) != word else ""
    raise CommandError("\n".join([f"{OPTION} = {word!r}: no such server was found{told}", *_what_runs(found)]))


def means(word: str, one: Running) -> bool:
    """Whether `word` is its name, or an address at which it, or its exporter, listens."""
    return word == one.name or any(same_address(word, address) for address in (*one.bind, _address(one.metrics)))


def same_address(word: str, address: str) -> bool:
    """Whether a client that goes to `word` comes to `address`; no host, or 0.0.0.0, is every host on either side."""
    if word.startswith("/"):
        word = f"unix:{word}"
    try:
        asked, bound = parse_address(word), parse_address(address)
    except ValueError:
        return False
    if asked.path or bound.path:
        return asked.path == bound.path
    hosts = {asked.host, bound.host}
    local = "localhost" in hosts and hosts & LOCALHOSTS
    return asked.port == bound.port and bool(asked.host == bound.host or hosts & ANY_HOSTS or local)


def listing(found: Sequence[Running]) -> list[str]:
    """A line for each, under a line of headings."""
    rows = [
        [str(one.pid or "?"), one.name or "?", " ".join(one.bind) or "?", one.metrics or ("none" if one.bind else "?"),
         "?" if one.workers is None else str(one.workers)]
        for one in found
    ]  # fmt: skip
    return table([["pid", "name", "bind", "metrics", "workers"], *rows], frozenset({1, 2, 3}))


def _unnamed(environment: Mapping[str, str]) -> Server:
    written = environment.get(METRICS, "").strip()
    if written not in ("", AUTO):
        place = parse_place(written, METRICS)
        tls = bool(environment.get(METRICS + "_CERT_FILE")) and not place.address.path
        return Server(dataclasses.replace(place, tls=place.tls or tls, named_by=f"{METRICS} or {OPTION}"))
    found = running(environment)
    if len(found) == 1:
        return _server(found[0])
    if found:
        raise SeveralServersError(found, f"{len(found)} servers run here")
    raise CommandError(_none_found())


def _none_found() -> str:
    others = (
        "" if os.geteuid() == 0 else "; those of other users are seen by root alone, unless their metrics are there"
    )
    return (
        f"no server with gunicorn-autotune was found on this host, neither by its command socket nor at "
        f"{AUTO_HOST}:{AUTO_PORTS[0]} to {AUTO_PORTS[-1]}{others}; {OPTION} HOST:PORT or unix:/path names its metrics"
    )


def _server(one: Running) -> Server:
    return Server(parse_place(one.metrics, "metrics") if one.metrics else None, one.command_socket, one.pid)


def _path(word: str) -> str:
    """The absolute path that `word` is; empty when it is none."""
    text = word.removeprefix("unix:")
    if text != word or "/" in word or Path(word).is_file():
        return os.path.abspath(re.sub("^//", "", text))  # noqa: PTH100 (Path.resolve() would follow links)
    return ""


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)  # noqa: PTH116
    except OSError:
        return False


def _pid(word: str, path: str) -> int | None:
    """The pid that is meant, by itself or by the file that holds it; None when no pid is meant."""
    if re.fullmatch("[0-9]{1,9}", word):
        return int(word)
    if not path or not Path(path).is_file():
        return None
    try:
        with Path(path).open("rb") as file:
            text = file.read(LONGEST_PID_FILE_BYTES + 1).decode("ascii", "replace").strip()
    except OSError as error:
        raise CommandError(f"{OPTION} = {word!r}: {error.strerror}") from None
    if not re.fullmatch("[0-9]{1,9}", text):
        raise CommandError(f"{OPTION} = {word!r}: holds no pid, but {shown(text)}")
    return int(text)


def _is_address(word: str) -> bool:
    try:
        return bool(parse_address(word))
    except ValueError:
        return False


def _address(url: str) -> str:
    """HOST:PORT or unix:/path of a metrics URL."""
    try:
        return str(parse_place(url, "metrics").address) if url else ""
    except CommandError:
        return ""


def _what_runs(found: Sequence[Running]) -> list[str]:
    return ["what runs:", *listing(found)] if found else [_none_found()]
