"""A target by what the command line calls it: ``sim``, ``rt:host``, ``rt:/dev/ttyACM0``."""

from __future__ import annotations

from pipelines import registry
from pipelines.core import Observer, Target
from pipelines.errors import CapabilityError


def open_target(text: str) -> Target:
    """Build the target of that name, at the place behind its colon.

    A target class that can stand in several places says which as ``places``, in words, and takes the place as its
    argument. Building it opens nothing.

    Raises:
        CapabilityError: there is no such target; it has no places; it has, and none was named.
    """
    name, colon, place = text.partition(":")
    cls = registry.load("targets", name)
    places: str = getattr(cls, "places", "")
    if colon and not places:
        raise CapabilityError(f"got the target {text}, but {name} has no places; expected {name} alone")
    if places and not place:
        raise CapabilityError(f"got the target {text}, expected a place with it: {places}")
    target: Target = cls(place) if place else cls()
    return target


def shown(target: Target) -> str:
    """What to call it: its name, with its place where it has one."""
    return str(getattr(target, "place", target.name))


def start(target: Target, *observers: Observer) -> None:
    """Start a target for a run; ``observers`` are told when its link is lost and back, where it has one."""
    watch = getattr(target, "watch", None)
    if watch:
        for observer in observers:
            watch(observer)
    target.start()
