"""nginx must be allowed to open Gunicorn's UNIX socket.

To connect, nginx's worker needs the right to write to the socket and to pass every folder above it. Gunicorn creates
the socket with mode 0777 less its `umask`: `umask = 0o077` gives 0700, and nginx as another user gets **502**, with
`connect() to unix:... failed (13: Permission denied)` in its error log (measured).

Two places hide a socket whatever its mode. A systemd unit with `PrivateTmp` has a /tmp of its own, so that nginx and
Gunicorn see different files under one name. And home folders are closed to others: /root always, /home/NAME with mode
0750 since Ubuntu 21.04.

Keep the socket in a folder of its own in /run (`RuntimeDirectory=shop` in the unit of Gunicorn), let Gunicorn's `umask`
leave the group's rights, and give it a group that nginx's worker is in.

Nothing is said about /tmp where `daemon off;` tells of a container. Ignore the warnings about folders where you opened
the folder yourself (`chmod o+x`), or where neither unit has PrivateTmp.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.site.gunicorn import binds
from gunicorn_autotune.nginx.site.host import SocketFile
from gunicorn_autotune.nginx.site.routes import Peer
from gunicorn_autotune.nginx.site.site import Site, same

RULE = Rule("NGX202", Severity.ERROR, "nginx may open Gunicorn's UNIX socket")
PACKAGED_USERS = frozenset({"www-data", "nginx", "nobody", "http"})
"""Whom nginx runs as where no `user` line says so: Debian's, nginx.org's and RHEL's, the source's, Arch's."""
_SOCKET_MODE = 0o777


def check(site: Site) -> Iterator[Finding]:
    """Each UNIX socket: its folder first, then its mode."""
    peers = {peer.path: peer for upstream in site.upstreams for peer in upstream.peers if peer.path[:1] == "/"}
    for peer in peers.values():
        hidden = _hidden(site, peer.path)
        if hidden:
            yield at(
                RULE,
                peer.directive,
                hidden,
                severity=Severity.WARNING,
                nginx=peer.directive.shown,
                gunicorn=_bind(site, peer),
                fix=_moved(peer),
            )
        yield from _refused(site, peer)


def _hidden(site: Site, path: str) -> str:
    user = _user(site)
    # Without a daemon it is no service of a distribution, but a container's or a supervisor's: no PrivateTmp.
    if path.startswith(("/tmp/", "/var/tmp/")) and site.main.value("daemon").text != "off":
        return f"{path} is in a folder that systemd's PrivateTmp replaces with an empty one: nginx may not see it"
    folders = path.split("/")
    home = folders[2] if path.startswith("/home/") else "root" if folders[1:2] == ["root"] else ""
    if home and user not in (home, "root"):
        return f"{path} is in the home folder of {home}, which is usually closed to other users: nginx may get 13"
    return ""


def _refused(site: Site, peer: Peer) -> Iterator[Finding]:
    file = site.host.sockets.get(peer.path)
    made = file or _predicted(site, peer)
    if made is None:
        return
    may = _may_write(site, made)
    if may or (may is None and file is None):
        return
    certain = may is False and (file is not None or peer.path in site.host.sockets)
    doubt = "" if certain else f", unless it is in group {made.group}" if made.mode & 0o020 else ", it seems"
    yield at(
        RULE,
        peer.directive,
        f"{peer.path} {'has' if file else 'will have'} mode {made.mode:04o} and belongs to {made.owner}:{made.group}: "
        f"nginx ({_user(site) or 'another user'}) may not open it{doubt} (13: Permission denied, 502)",
        severity=None if certain else Severity.WARNING,
        nginx=site.main.value("user"),
        gunicorn=site.gunicorn.shown("umask") if site.gunicorn else "",
        fix=f"# in Gunicorn's configuration file\numask = 0o007\n"
        f'group = "{_user(site) or "www-data"}"    # a group that nginx is in',
    )


def _predicted(site: Site, peer: Peer) -> SocketFile | None:
    """What Gunicorn would create; None where the socket is not its own, or its user is not told."""
    gunicorn = site.gunicorn
    if gunicorn is None or not any(same(peer, bind, site.host) for bind in binds(gunicorn)):
        return None
    user, group, umask = gunicorn.get("user"), gunicorn.get("group"), gunicorn.get("umask", 0)
    return SocketFile(_SOCKET_MODE & ~umask, str(user), str(group)) if user is not None else None


def _may_write(site: Site, made: SocketFile) -> bool | None:
    """By the kernel's rule: the owner's bits count for the owner, the group's for the group; None: cannot be told."""
    user = _user(site)
    owned = made.owner == user or (not user and made.owner in PACKAGED_USERS)
    if user == "root" or made.mode & 0o222 == 0o222:
        return True
    if owned:
        return bool(made.mode & 0o200)
    if made.mode & 0o022 in (0o022, 0):
        return bool(made.mode & 0o022) if user else None
    groups = site.host.nginx_groups
    if groups is None:
        groups = site.main.value("user").args[1:2] or (user,)
        member = True if made.group in groups else None
    else:
        member = made.group in groups
    return None if member is None else bool(made.mode & (0o020 if member else 0o002))


def _user(site: Site) -> str:
    """nginx's worker user; empty where no line names it."""
    value = site.main.value("user")
    return value.args[0] if value.directive is not None and value.args else ""


def _bind(site: Site, peer: Peer) -> str:
    gunicorn = site.gunicorn
    own = gunicorn is not None and any(same(peer, bind, site.host) for bind in binds(gunicorn))
    return gunicorn.shown("bind") if gunicorn is not None and own else ""


def _moved(peer: Peer) -> str:
    folder, name = peer.path.split("/")[-2:]
    folder = "gunicorn" if folder in ("tmp", "root") else folder
    line = "server " if peer.directive.name == "server" else "proxy_pass http://"
    new = f"unix:/run/{folder}/{name}"
    return f'{line}{new};    # nginx\nbind = "{new}"    # Gunicorn, with RuntimeDirectory={folder} in its unit'
