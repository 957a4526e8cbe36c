"""``eiq-demo list``. Without a NAME it imports none of what it lists."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import click

from pipelines import registry
from pipelines.errors import CapabilityError
from pipelines.resources import bundled_configs, manifests

KINDS = ("targets", "sensors", "transforms", "engines", "decoders", "actions", "models", "configs")


@click.command("list")
@click.argument("kind", type=click.Choice(KINDS), required=False)
@click.argument("name", required=False)
@click.option("--target", default="sim", show_default=True, help="Whose sensors' options to tell.")
def list_(kind: str | None, name: str | None, target: str) -> None:
    """What there is to build demos from: all kinds, KIND alone, or the options of NAME.

    \b
    eiq-demo list
    eiq-demo list transforms
    eiq-demo list transforms mfcc
    eiq-demo list sensors microphone
    """
    if kind and name:
        for line in _options(kind, name, target):
            click.echo(line)
    elif kind:
        for each in _names(kind):
            click.echo(each)
    else:
        for each in KINDS:
            click.echo(f"{each + ':':<12}{'  '.join(_names(each))}")


def _names(kind: str) -> list[str]:
    if kind == "sensors":
        return list(registry.SENSORS)
    if kind == "configs":
        return [path.name for path in bundled_configs()]
    if kind == "models":
        return list(manifests())
    return registry.names(kind)


def _options(kind: str, name: str, target: str) -> Iterator[str]:
    """What a plug-in does, and every option with its default."""
    if kind == "targets":
        target_class = registry.load(kind, name)
        yield from (inspect.getdoc(target_class) or "").splitlines()
        yield from filter(None, ("", getattr(target_class, "places", "")))
        return
    if kind in ("models", "configs"):
        hint = {"models": "eiq-demo models info", "configs": "eiq-demo check"}[kind]
        raise click.UsageError(f"{kind} have no options of their own; see {hint}")
    if kind == "sensors":
        if name not in registry.SENSORS:
            raise CapabilityError(registry.unknown("sensor", name, list(registry.SENSORS)))
        config: type[Any] = registry.load("targets", target)().config_of(name)
    else:
        plug_in = registry.load(kind, name)
        yield from (inspect.getdoc(plug_in) or "").splitlines()
        yield ""
        config = plug_in.Config
    for described in reversed(config.__mro__):  # what it extends says what its own options mean
        if described.__doc__ and inspect.get_annotations(described):
            yield from inspect.cleandoc(described.__doc__).splitlines()
            yield ""
    yield from _fields(config)


def _fields(config: type[Any]) -> Iterator[str]:
    import msgspec

    fields = msgspec.structs.fields(config)
    width = max((len(field.encode_name) for field in fields), default=0)
    for field in fields:
        default = "required" if field.required else f"default {_shown(field.default)}"
        yield f"  {field.encode_name:<{width}}  {default}"


def _shown(value: Any) -> str:
    import msgspec

    if value is None or value is msgspec.NODEFAULT:
        return "none"
    return msgspec.json.encode(value, enc_hook=str).decode()
