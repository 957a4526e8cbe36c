"""How long a message is without what its binaries hold: what remains of a frame is theirs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hal.rt.idl.parse import INTEGERS, REPLIES_ONLY, Interface, Struct, Type

MESSAGE_HEADER = 8
"""uint32 version, service, method and type; uint32 sequence."""


def overheads(interface: Interface) -> Iterator[tuple[str, int]]:
    """Name and bytes of each message that holds a binary: its header, and its arguments with all that varies empty."""
    structs = {struct.name: struct for struct in interface.structs}
    for service in interface.services:
        for method in service.methods:
            outs = [*(field.type for field in method.outputs), *([method.returns] if method.returns else [])]
            request = [field.type for field in method.inputs] if service.id != REPLIES_ONLY else []
            for way, types in (("REQUEST", request), ("REPLY", outs)):
                if any(_holds_binary(kind, structs) for kind in types):
                    yield f"{method.name.upper()}_{way}_BYTES", MESSAGE_HEADER + _bytes(types, structs)


def _holds_binary(kind: Type, structs: dict[str, Struct]) -> bool:
    if kind.kind == "struct":
        return any(_holds_binary(field.type, structs) for field in structs[kind.name].fields)
    return kind.name == "binary"


def _bytes(types: Iterable[Type], structs: dict[str, Struct]) -> int:
    return sum(_least(kind, structs) for kind in types)


def _least(kind: Type, structs: dict[str, Struct]) -> int:
    if kind.kind == "struct":
        return _bytes((field.type for field in structs[kind.name].fields), structs)
    if kind.name in INTEGERS:
        return INTEGERS[kind.name][1] // 8
    return 1 if kind.name == "bool" else 4  # a float, an enum, or the count of what varies
