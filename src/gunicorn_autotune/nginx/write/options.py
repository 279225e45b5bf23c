"""What `nginx render` was asked for, beside Gunicorn's settings."""

from __future__ import annotations

from dataclasses import dataclass

from gunicorn_autotune.nginx.read.quantity import version_of
from gunicorn_autotune.nginx.site import defaults


@dataclass(frozen=True, slots=True)
class Folder:
    """Files that nginx serves itself. Both end in a slash: with one slash missing, files next door are served too."""

    url: str
    """`/static/`."""
    path: str
    """`/srv/shop/static/`."""


@dataclass(frozen=True, slots=True)
class Options:
    """Checked already (cli/nginx_words.py): every word can stand in a configuration as it is."""

    name: str = "app"
    """In front of every name that nginx keeps for all sites: upstream, zones, files."""
    nginx_version: str = defaults.ASSUMED
    nginx_workers: int = 2
    """What `worker_processes auto` comes to: the CPUs of the host."""
    domains: tuple[str, ...] = ()
    """Empty: the site answers every host."""
    listen: tuple[str, ...] = ()
    """`80`, `[::]:80`, `127.0.0.1:8080`; empty: 80, or 443 with a certificate, on IPv4 and IPv6."""
    plain: tuple[str, ...] = ()
    """Where a site with a certificate redirects from; empty: 80."""
    certificate: str = ""
    key: str = ""
    static: tuple[Folder, ...] = ()
    media: tuple[Folder, ...] = ()
    streams: tuple[str, ...] = ()
    """URLs of server-sent events and other long answers, `/events/`."""
    servers: tuple[str, ...] = ()
    """Gunicorn's addresses where `bind` does not tell them: several hosts."""
    exporter: str = ""
    """`http://127.0.0.1:9877` or `http://unix:/run/shop/metrics.sock`; empty: not passed on."""
    metrics_listen: str = "127.0.0.1:8081"
    metrics_allow: tuple[str, ...] = ("127.0.0.1", "::1")
    rate: int = 0
    """Requests a second of one client; 0: no limits."""
    largest_body: str = "20m"
    command: str = ""
    """To render the same again; one line, or empty."""
    nginx_dir: str = "/etc/nginx"
    log_dir: str = "/var/log/nginx"

    @property
    def numbers(self) -> tuple[int, ...]:
        """nginx's version, (1, 22, 1)."""
        return version_of(self.nginx_version)

    @property
    def tls(self) -> bool:
        """Whether nginx speaks TLS with the clients."""
        return bool(self.certificate)

    @property
    def folder(self) -> str:
        """Where the site's own files lie on the host."""
        return f"{self.nginx_dir}/{self.name}"

    @property
    def listening(self) -> tuple[str, ...]:
        """Addresses of the site."""
        port = 443 if self.tls else 80
        return self.listen or (f"{port}", f"[::]:{port}")

    @property
    def redirecting(self) -> tuple[str, ...]:
        """Addresses that answer plain HTTP with a redirect; none without TLS."""
        return (self.plain or ("80", "[::]:80")) if self.tls else ()
