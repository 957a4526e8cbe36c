"""What is compared: targets and engines by name, every combination of the two."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from hal.targets import open_target
from pipelines import registry
from pipelines.errors import CapabilityError


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to run the demo.

    Args:
        name: as it was asked for, short.
        target: such as ``sim`` or ``rt:host``.
        engine: on which every model runs; None leaves the config's.
        options: of that engine, ``key=value``.
    """

    name: str
    target: str
    engine: str | None = None
    options: tuple[str, ...] = ()


def variants(targets: str | None = None, engines: str | None = None) -> tuple[Variant, ...]:
    """The variants that two comma-separated lists name; the first is the reference.

    An engine's options stand behind colons: ``tflite:kernels=reference:threads=2``.

    Raises:
        CapabilityError: an unknown name, one that comes twice, or one variant alone.
    """
    places, kernels = _listed(targets, "--targets"), _listed(engines, "--engines")
    for target in places:
        open_target(target).close()  # opens nothing: names are checked
    for engine in kernels:
        _check_engine(engine)
    found = tuple(
        _variant(target, engine, bool(places)) for target, engine in product(places or ["sim"], kernels or [""])
    )
    if len(found) < 2:
        raise CapabilityError(
            f"got {found[0].name if places or kernels else 'nothing'} to compare, expected at least two, such as "
            "--engines tflite,bundle or --targets sim,rt:host"
        )
    return found


def _listed(text: str | None, option: str) -> list[str]:
    names = [name.strip() for name in (text or "").split(",")] if text is not None else []
    for name in names:
        if not name:
            raise CapabilityError(f"got {option} {text!r}, expected names with commas between them")
        if names.count(name) > 1:
            raise CapabilityError(f"{option} names {name} twice, expected each once")
    return names


def _check_engine(text: str) -> None:
    name, *options = text.split(":")
    if name not in registry.names("engines"):
        raise CapabilityError(registry.unknown("engine", name, registry.names("engines")))
    for option in options:
        if not option.partition("=")[1]:
            raise CapabilityError(f"got {option!r} in {text}, expected an option, such as {name}:threads=2")
        if option.partition("=")[0].strip() == "type":
            raise CapabilityError(f"got {option!r} in {text}, which names the engine already; leave it out")


def _variant(target: str, engine: str, named: bool) -> Variant:
    name, *options = engine.split(":")
    shown = (target if named else "", engine)
    return Variant(" ".join(filter(None, shown)) or target, target, name or None, tuple(options))
