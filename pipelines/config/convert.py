"""From tree to typed configs, field by field, so that every problem has its place."""

from __future__ import annotations

import re
import types
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from pipelines import registry
from pipelines.config.schema import Config, InputPath, OutputPath, Step
from pipelines.config.yaml12 import Mark, Node
from pipelines.errors import EiqError, Problem
from pipelines.registry import did_you_mean
from pipelines.resources import expanded, find_input

C = TypeVar("C", bound=Config)


def convert(node: Node, cls: type[C], path: str, problems: list[Problem]) -> C | None:
    """Build ``cls`` from a mapping (or from nothing, where every field has a default).

    Returns:
        The config, or None with at least one problem added.
    """
    entries = {} if node.value is None else node.entries
    if entries is None:
        problems.append(node.mark.problem(path, f"got {shown(node)}, expected options: {', '.join(_keys(cls))}"))
        return None
    before = len(problems)
    fields = {field.encode_name: field for field in msgspec.structs.fields(cls)}
    for key, entry in entries.items():
        if key not in fields:
            problems.append(entry.mark.problem(_join(path, key), f"unknown option; {did_you_mean(key, list(fields))}"))
    values: dict[str, Any] = {}
    for key, field in fields.items():
        if key in entries:
            values[field.name] = value(entries[key].node, field.type, _join(path, key), problems)
        elif field.required:
            problems.append(node.mark.problem(path, f'the option "{key}" is missing'))
    if len(problems) > before:
        return None
    try:
        return cls(**values)
    except ValueError as error:
        problems.append(node.mark.problem(path, str(error)))
        return None


def value(node: Node, type_: Any, path: str, problems: list[Problem]) -> Any:
    """One value as ``type_`` says; None with a problem added where it is not that."""
    for option in options_of(type_):
        if get_origin(option) is Literal and node.value in get_args(option):
            return node.value  # one of a few names, where a path may stand as well
        if option is Step:
            return step(node, ("transforms",), path, problems)
        if is_config(option) and node.entries is not None:
            return convert(node, option, path, problems)
        if get_origin(option) is tuple and _holds_ours(option) and node.items is not None:
            item = get_args(option)[0]
            return tuple(value(n, item, f"{path}[{i}]", problems) for i, n in enumerate(node.items))
        if option in (InputPath, OutputPath) and isinstance(node.value, str):
            return _path(node, option, path, problems)
    plain = _plain_type(type_)
    try:
        return msgspec.convert(node.plain(), plain)
    except msgspec.ValidationError as error:
        where, message = _words(str(error), plain)
        problems.append(_locate(node, where).mark.problem(path + where, f"{message}, got {shown(node, where)}"))
        return None


def step(node: Node, kinds: tuple[str, ...], path: str, problems: list[Problem]) -> Step | None:
    """One step: ``name: {options}``, or ``name`` alone where every option has a default."""
    named = named_node(node)
    if named is None:
        message = f"got {shown(node)}, expected one step, such as {registry.names(kinds[0])[0]}: {{…}}"
        if node.entries:  # "- resize:" and its options right below it, the commonest slip
            message += "; indent its options deeper than its name"
        problems.append(node.mark.problem(path, message))
        return None
    name, mark, options = named
    kind = next((kind for kind in kinds if name in registry.table(kind)), None)
    if kind is None:
        known = [name for kind in kinds for name in registry.table(kind)]
        what = " or ".join(kind.rstrip("s") for kind in kinds)
        problems.append(mark.problem(path, registry.unknown(what, name, known)))
        return None
    path = f"{path}.{name}"
    try:
        cls = registry.load(kind, name)
    except EiqError as error:
        problems.append(mark.problem(path, str(error)))
        return None
    config = convert(options, cls.Config, path, problems)
    return None if config is None else Step(kind, name, config, options, path)


def named_node(node: Node) -> tuple[str, Mark, Node] | None:
    """A step as (name, its place, its options); None where the node is not one name."""
    if isinstance(node.value, str):
        return node.value, node.mark, Node(None, node.mark)
    if node.entries is None or len(node.entries) != 1:
        return None
    ((name, entry),) = node.entries.items()
    # an empty mapping has no place of its own worth pointing at: the name has
    empty = entry.node.value is None
    return name, entry.mark, Node(None, entry.mark) if empty else entry.node


def shown(node: Node, where: str = "") -> str:
    """A value in words, short."""
    found = _locate(node, where)
    if found.entries is not None:
        return f"a mapping of {_some(list(found.entries))}" if found.entries else "an empty mapping"
    if found.items is not None:
        return f"a list of {len(found.items)}"
    if found.value is None:
        return "nothing"
    text = f'"{found.value}"' if isinstance(found.value, str) else str(found.value)
    if isinstance(found.value, bool):
        text = text.lower()
    return text if len(text) <= 60 else text[:57] + "..."


def _some(keys: list[str]) -> str:
    text = ", ".join(keys[:4]) + (", …" if len(keys) > 4 else "")
    return text if len(text) <= 60 else text[:57] + "..."


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _keys(cls: type[Config]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(cls)]


def options_of(type_: Any) -> tuple[Any, ...]:
    """The members of a union; a type itself where it is none."""
    return get_args(type_) if get_origin(type_) in (Union, types.UnionType) else (type_,)


def is_config(type_: Any) -> bool:
    """Whether a field's type is a config class."""
    return isinstance(type_, type) and issubclass(type_, Config)


def _holds_ours(type_: Any) -> bool:
    return type_ is Step or is_config(type_) or any(_holds_ours(inner) for inner in get_args(type_))


def _plain_type(type_: Any) -> Any:
    # msgspec takes no custom type in a union: what is ours stands for the plain value that it is written as
    return Union[tuple(written_as(option) for option in options_of(type_))]  # noqa: UP007 - built at run time


def written_as(option: Any) -> Any:
    """The plain type as which a value of one of our types stands in YAML."""
    if option in (InputPath, OutputPath):
        return str
    if not _holds_ours(option):
        return option
    return list if get_origin(option) is tuple else dict


def _path(node: Node, option: type, path: str, problems: list[Problem]) -> str:
    text = str(node.value)
    found = expanded(text).absolute() if option is OutputPath else find_input(text, node.mark.folder)
    try:
        found.lstat()
    except (FileNotFoundError, NotADirectoryError):
        pass  # told by whoever opens it, who knows what should be there
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        problems.append(node.mark.problem(path, f"got {shown(node)}, expected a file's path ({reason})"))
    return InputPath(found) if option is InputPath else OutputPath(found)


def _locate(node: Node, where: str) -> Node:
    for index in re.findall(r"\[(\d+)\]", where):
        if node.items is None or int(index) >= len(node.items):
            break
        node = node.items[int(index)]
    return node


_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}


def _words(message: str, type_: Any) -> tuple[str, str]:
    """msgspec's message as (place below the value, our words)."""
    text, _, place = message.partition(" - at `$")
    where = place.rstrip("`") if re.fullmatch(r"(\[\d+\])*`", place) else ""
    if text.startswith("Invalid enum value"):
        return where, f"expected one of {', '.join(_choices(type_))}"
    text = text.partition(", got ")[0]
    text = re.sub(r"`([a-z |]+)`", lambda match: " or ".join(_TYPES.get(t, t) for t in match[1].split(" | ")), text)
    return where, text[:1].lower() + text[1:]


def _choices(type_: Any) -> list[str]:
    if get_origin(type_) is Literal:
        return [str(choice) for choice in get_args(type_)]
    return [choice for inner in get_args(type_) for choice in _choices(inner)]
