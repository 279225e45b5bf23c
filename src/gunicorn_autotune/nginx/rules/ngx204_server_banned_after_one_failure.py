"""With several servers, one failed request should not take a server away for 10 seconds.

As soon as an `upstream` has two servers, nginx counts: after `max_fails` failures, **1** unless it is set, a server
gets no requests for `fail_timeout`, 10 s unless it is set. A failure is one connection that breaks, and a worker that
is recycled at the wrong moment is enough. Measured with two servers and the defaults: one recycled worker gave one
502, and the next 160 of 160 requests went to the other server, which had to carry everything.

Allow several failures, and keep the pause short. With `max_fails=3 fail_timeout=5s` a dead host is still left alone
after three tries, and a stumbling one is not.

Ignore it where a server must go at its first failure, as with a standby that is always ready. With one server
nginx does not count at all.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.read.quantity import seconds
from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.site.routes import Peer
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX204", Severity.WARNING, "With several servers, one failed request bans none of them")


def check(site: Site) -> Iterator[Finding]:
    """Each upstream of several servers, once."""
    for upstream in site.upstreams:
        touchy = [peer for peer in upstream.peers if _touchy(peer)]
        if upstream.block is not None and len(upstream.peers) > 1 and touchy:
            pause = touchy[0].parameters.get("fail_timeout", "10s")
            yield at(
                RULE,
                upstream.block,
                f"one failed request bans a server of upstream {upstream.name} for {pause}: "
                f"{len(touchy)} of its {len(upstream.peers)} servers allow only one failure",
                nginx=f"{touchy[0].directive.shown}, max_fails=1 fail_timeout=10s unless set",
                fix="\n".join(_line(peer) for peer in touchy),
                edits=tuple(edit for peer in touchy for edit in edits.replaced(peer.directive, _line(peer))),
            )


def _touchy(peer: Peer) -> bool:
    limits = peer.parameters
    pause = seconds(limits.get("fail_timeout", "10s"))
    return limits.get("max_fails", "1") == "1" and bool(pause) and "down" not in limits and "backup" not in limits


def _line(peer: Peer) -> str:
    kept = [word for word in peer.directive.args if not word.startswith(("max_fails=", "fail_timeout="))]
    return f"server {' '.join(kept)} max_fails=3 fail_timeout=5s;"
