"""What `nginx render` accepts; a value that breaks a rule is refused with one line: option, value, rule.

Whatever passes here can stand in a configuration and means itself there.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Sequence

from gunicorn_autotune.cli import init_rules
from gunicorn_autotune.cli.style import CommandError
from gunicorn_autotune.exporter.address import parse_address
from gunicorn_autotune.nginx.write.options import Folder

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_DOMAIN = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*")
_URL = re.compile(r"(/[A-Za-z0-9._~@+-]+)+")
_VERSION = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}(\.[0-9]{1,4})?")
_SIZE = re.compile(r"[0-9]{1,9}[kKmMgG]?")
_PATH = re.compile(r"(/[A-Za-z0-9._@+-]+)+")
_TAKEN = (
    "koi-utf", "koi-win", "modules-available", "modules-enabled", "sites-available", "sites-enabled", "snippets",
    "win-utf",
)  # fmt: skip
LONGEST_DOMAIN = 253


def check_name(value: str) -> str:
    """Usable in names of files, zones and upstreams; no file or folder that a distribution has below /etc/nginx."""
    if value in _TAKEN:
        raise CommandError(f"--name = {value!r}: must be none of {', '.join(_TAKEN)}, which nginx's folder has already")
    return init_rules.check_name(value)


def check_domain(value: str) -> str:
    """A host name, perhaps `*.` in front; in lower case."""
    if not _DOMAIN.fullmatch(value) or len(value) > LONGEST_DOMAIN:
        raise CommandError(f"--domain = {value!r}: must be a host name, as example.com or *.example.com")
    return value.lower()


def check_listen(option: str, value: str) -> str:
    """`80`, `127.0.0.1:8080`, `[::]:80`."""
    address, _, port = value.rpartition(":")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536 and _is_address(address)):
        raise CommandError(f"{option} = {value!r}: must be [ADDRESS:]PORT, as 80, 127.0.0.1:8080 or [::]:80")
    return value


def _is_address(text: str) -> bool:
    if text in ("", "*"):
        return True
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if "%" in inner:  # an interface, of any characters; nginx takes none
        return False
    try:
        return ipaddress.ip_address(inner).version == (4 if inner == text else 6)
    except ValueError:
        return False


def check_server(value: str) -> str:
    """Where a Gunicorn listens: `HOST:PORT` or `unix:/path`."""
    rule = "must be HOST:PORT, as 10.0.0.4:8000, or unix:/absolute/path"
    try:
        address = parse_address(value)
    except ValueError:
        raise CommandError(f"--server-address = {value!r}: {rule}") from None
    if address.path:
        return "unix:" + check_path("--server-address", address.path)
    host_is_fine = ":" in address.host or _HOST.fullmatch(address.host)
    if not address.port or not host_is_fine or (":" in address.host and not _is_address(f"[{address.host}]")):
        raise CommandError(f"--server-address = {value!r}: {rule}")
    return str(address)


def check_folders(option: str, values: Sequence[str], url: str) -> tuple[Folder, ...]:
    """`FOLDER` or `FOLDER=/url/`; the first one without a URL gets `url`."""
    return tuple(check_folder(option, value, url) for value in values)


def check_folder(option: str, value: str, url: str) -> Folder:
    """An absolute path and a URL, each with its slash at the end."""
    path, mark, behind = value.rpartition("=")
    if not mark or not behind.startswith("/"):
        path, behind = value, url
    if not path:
        raise CommandError(f"{option} = {value!r}: must be FOLDER or FOLDER=/url/")
    folder = check_path(option, os.path.abspath(path))  # noqa: PTH100 (a link such as `current` must stay one)
    return Folder(check_url(option, behind), folder.rstrip("/") + "/")


def check_url(option: str, value: str) -> str:
    """`/events/`: a folder of the site, not the whole of it."""
    url = "/" + value.strip("/")
    if not value.startswith("/") or not _URL.fullmatch(url) or "//" in value or "/.." in url or "/./" in url + "/":
        raise CommandError(f"{option} = {value!r}: must be a path below /, of letters, digits and ._~@+-, as /events/")
    return url + "/"


def check_path(option: str, value: str) -> str:
    """An absolute path that nginx can be given: with spaces, if need be, but no variables and no control characters."""
    if not value.startswith("/") or not value.isprintable() or "$" in value:
        raise CommandError(f"{option} = {value!r}: must be an absolute path without $ and control characters")
    return value


def check_proxied_path(option: str, value: str) -> str:
    """A socket's path in a URL, where nginx takes what follows a colon for the path of the request."""
    if ":" in value:
        raise CommandError(f"{option} = {value!r}: must hold no colon, nginx would end the socket's path there")
    return check_path(option, value)


def check_plain_path(option: str, value: str) -> str:
    """A path of ordinary characters; it is part of longer words."""
    if not _PATH.fullmatch(value.rstrip("/")) or "/.." in value:
        raise CommandError(f"{option} = {value!r}: must be an absolute path of letters, digits and ._@+-")
    return value.rstrip("/")


def check_network(value: str) -> str:
    """An address or a network that may see the metrics."""
    try:
        if "%" in value:
            raise ValueError
        return str(ipaddress.ip_network(value)) if "/" in value else str(ipaddress.ip_address(value))
    except ValueError:
        rule = "must be an address or a network, as 10.0.0.7 or 10.0.0.0/8"
        raise CommandError(f"--metrics-allow = {value!r}: {rule}") from None


def check_version(value: str) -> str:
    """`1.22` or `1.22.1`."""
    if not _VERSION.fullmatch(value):
        raise CommandError(f"--nginx-version = {value!r}: must be a version such as 1.22.1")
    return value


def check_size(value: str) -> str:
    """Bytes, or with k, m or g."""
    if not _SIZE.fullmatch(value):
        raise CommandError(f"--largest-body = {value!r}: must be a size such as 20m; 0 is no limit")
    return value.lower()


def check_count(option: str, value: int, least: int, most: int) -> int:
    """A whole number within bounds."""
    if not least <= value <= most:
        raise CommandError(f"{option} = {value}: must be {least} to {most}")
    return value


def check_urls_differ(folders: Sequence[Folder], streams: Sequence[str]) -> None:
    """nginx refuses two locations of one URL."""
    urls = [folder.url for folder in folders] + list(streams)
    twice = sorted({url for url in urls if urls.count(url) > 1})
    if twice:
        raise CommandError(
            f"{twice[0]}: stands for two things in --static, --media and --stream; a URL must stand once"
        )
