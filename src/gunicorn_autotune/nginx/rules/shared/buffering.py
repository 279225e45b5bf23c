"""Where nginx does not buffer, and what that costs Gunicorn: each slow client keeps a worker or a thread busy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.rules.shared.places import location
from gunicorn_autotune.nginx.site.gunicorn import SYNC, THREADED, Gunicorn
from gunicorn_autotune.nginx.site.locations import streams, takes_everything
from gunicorn_autotune.nginx.site.routes import Route
from gunicorn_autotune.nginx.site.scope import Value
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits


@dataclass(frozen=True, slots=True)
class Unbuffered:
    """One `off` and the locations it is in force at; those that stream by their name are left out."""

    value: Value
    locations: tuple[Directive, ...]
    whole: bool
    """It holds for more than one chosen part of the application."""
    edits: edits.Edits


def unbuffered(site: Site, name: str) -> Iterator[Unbuffered]:
    """Each `proxy_buffering off` or `proxy_request_buffering off` before workers that one slow client can hold."""
    if site.gunicorn is not None and site.gunicorn.kind not in (SYNC, THREADED):
        return
    for routes in _by_directive(site.routes, name).values():
        value, slow = routes[0].scope.value(name), [one for one in routes if not streams(location(one.scope))]
        if not slow or value.directive is None:
            continue
        places = tuple({id(location(one.scope)): location(one.scope) for one in slow}.values())
        own = all(value.directive in (place.block or ()) for place in places)
        whole = not own or any(takes_everything(place) for place in places)
        alone = len(_by_directive(site.every_route, name)[id(value.directive)]) == len(slow)
        yield Unbuffered(value, places, whole, _edits(value.directive, places, name, alone=alone))


def held(gunicorn: Gunicorn | None) -> tuple[str, str]:
    """What a slow client keeps busy, and how many there are: `a thread`, `, and Gunicorn has 8 (2 workers x 4)`."""
    if gunicorn is None:
        return "a worker (sync) or a thread (gthread)", ""
    workers, threads = gunicorn.most_workers, gunicorn.requests_at_once
    most = "at most " if gunicorn.policy is not None else ""
    if gunicorn.kind == SYNC:
        return "a worker", f", and Gunicorn has {most}{workers}"
    return (
        "a thread",
        f", and Gunicorn has {most}{workers * threads} ({workers} worker{'s' * (workers != 1)} x {threads})",
    )


def _by_directive(routes: tuple[Route, ...], name: str) -> dict[int, list[Route]]:
    found: dict[int, list[Route]] = {}
    for route in routes:
        value = route.scope.value(name)
        if value.text == "off" and value.directive is not None:
            found.setdefault(id(value.directive), []).append(route)
    return found


def _edits(directive: Directive, places: tuple[Directive, ...], name: str, *, alone: bool) -> edits.Edits:
    """The `off` itself turned where nobody else needs it."""
    if alone:
        return edits.replaced(directive, f"{name} on;")
    return tuple(edit for place in places for edit in edits.added_in(place, f"{name} on;"))
