"""Files that `nginx render` wrote should fit the Gunicorn that runs.

The first lines of each rendered file name the settings of Gunicorn that it was made for, and only those that it uses.
When such a setting changes and the file does not, the two sides drift apart unnoticed. A lower `keepalive` brings the
502s of NGX001; with a higher `max_workers` nginx keeps too few connections; with another `bind` every request gets 502.

Run the command again that wrote the files (`gunicorn-autotune nginx render`, with `--diff` first), copy, `nginx -t`,
reload. The finding says if a file was edited by hand: render keeps your version beside the new one as NAME.old.

Also told when Gunicorn was updated across a version that matters to the file (25.3.0 and 27.0.1 for kept connections
with gthread). Ignore it while the new setting is not live yet: render the files together with the release.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write.stamp import Stamp, stale, stamp_of

RULE = Rule("NGX709", Severity.WARNING, "Rendered files fit the Gunicorn that runs", frozenset({Need.GUNICORN}))


def check(site: Site) -> Iterator[Finding]:
    """Each rendered file that was made for other settings."""
    gunicorn = site.gunicorn
    if gunicorn is None:
        return
    for file, text in site.host.texts.items():
        stamp = stamp_of(text)
        changed = stale(stamp, gunicorn) if stamp else {}
        if stamp and changed:
            told = ", ".join(f"{name} {_word(old)} (now {_word(new)})" for name, (old, new) in changed.items())
            yield Finding(
                RULE,
                file,
                1,
                f"this file was generated for {told}{_by_hand(stamp)}",
                nginx=f"rendered by gunicorn-autotune {stamp.generator} for nginx {stamp.nginx}",
                gunicorn=", ".join(gunicorn.shown(name) for name in changed if name in gunicorn.values),
                fix="gunicorn-autotune nginx render --diff    # with the options it was written with",
            )


def _word(value: object) -> str:
    """A setting's value as a message shows it: a list without its brackets."""
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _by_hand(stamp: Stamp) -> str:
    return ", and edited by hand since" if stamp.edited else ""
