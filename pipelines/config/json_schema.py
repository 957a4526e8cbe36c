"""The JSON schema of demos, made from the same classes that check them, so that editors complete and check."""

from __future__ import annotations

import inspect
from typing import Any, get_args, get_origin

import msgspec

from pipelines import registry
from pipelines.config.convert import is_config, options_of, written_as
from pipelines.config.schema import Config, Step
from pipelines.core import Target

Schema = dict[str, Any]


def demo_schema(target: Target) -> Schema:
    """Everything that a demo may say for ``target``, plug-ins that are installed included."""
    transforms, decoders = _plug_ins("transforms"), _plug_ins("decoders")
    engine = {"anyOf": [_engine(name) for name in registry.names("engines")]}
    sensors = {name: config_schema(target.config_of(name)) for name in registry.SENSORS}
    pipeline = {
        "sensor": _one_of(sensors),
        "preprocess": _list(_one_of(transforms)),
        "engine": engine,
        "postprocess": _list(_one_of(transforms | decoders)),
        "steps": _list(_one_of(transforms | decoders | {"engine": engine})),
        "actions": _list(_one_of(_plug_ins("actions"))),
    }
    text = {"type": "string"}
    keys = {"title": text, "description": text, "targets": {"type": "object"}} | pipeline
    keys["pipelines"] = {"type": "object", "additionalProperties": _object(pipeline)}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "eiq-demo demo"} | _object(keys)


def config_schema(config: type[Config]) -> Schema:
    """One config class: its keys with types, bounds and defaults."""
    properties, required = {}, []
    for field in msgspec.structs.fields(config):
        properties[field.encode_name] = _value(field.type)
        if field.required:
            required.append(field.encode_name)
        elif isinstance(field.default, str | int | float | bool):
            properties[field.encode_name]["default"] = field.default
    schema = _object(properties) | {"description": inspect.getdoc(config) or ""}
    return schema | ({"required": required} if required else {})


def _value(type_: Any) -> Schema:
    options = [_option(option) for option in options_of(type_)]
    return options[0] if len(options) == 1 else {"anyOf": options}


def _option(type_: Any) -> Schema:
    if is_config(type_):
        return config_schema(type_)
    if type_ is Step:
        return _one_of(_names_alone("transforms"))  # a fork's branches: their options would hold forks again
    plain = written_as(type_)
    if plain is list and get_origin(type_) is tuple:
        return _list(_value(get_args(type_)[0]))
    return msgspec.json.schema(plain)


def _names_alone(kind: str) -> dict[str, Schema]:
    return {name: {"type": ["object", "null"]} for name in registry.names(kind)}


def _plug_ins(kind: str) -> dict[str, Schema]:
    return {name: config_schema(registry.load(kind, name).Config) for name in registry.names(kind)}


def _engine(name: str) -> Schema:
    schema = config_schema(registry.load("engines", name).Config)
    return schema | {"properties": {"type": {"const": name}} | schema["properties"]}


def _one_of(named: dict[str, Schema]) -> Schema:
    one = _object({name: {"anyOf": [schema, {"type": "null"}]} for name, schema in named.items()})
    bare = [name for name, schema in named.items() if not schema.get("required")]
    return {"anyOf": [{"enum": bare}, one | {"minProperties": 1, "maxProperties": 1}]}


def _object(properties: dict[str, Any]) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}
